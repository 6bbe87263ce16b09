"""The workers that take runs from the queue."""

from __future__ import annotations

import asyncio
import logging
import time

import aiohttp

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import cancelled
from modelyard_operator.kube.errors import ApiError, ConflictError, InvalidError
from modelyard_operator.kube.parse import ParseError
from modelyard_operator.metrics import INVALID, QUEUE_DEPTH, RECONCILE_ERRORS, RECONCILE_SECONDS
from modelyard_operator.reconcile.actions import JobRefusedError
from modelyard_operator.reconcile.reconciler import NotLeadingError, Reconciler
from modelyard_operator.reconcile.sweep import Sweep
from modelyard_operator.reconcile.workqueue import WorkQueue

_log = logging.getLogger(__name__)


class Controller:
    """Works while this replica leads.

    Args:
        queue: of the runs to look at.
        reconciler: looks at one.
        sweep: lists everything anew.
        workers: runs looked at side by side.
    """

    def __init__(
        self,
        queue: WorkQueue[RunKey],
        reconciler: Reconciler,
        sweep: Sweep,
        *,
        workers: int,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._sweep = sweep
        self._workers = workers
        self.tasks: list[asyncio.Task[None]] = []
        """What works while this replica leads; none of them ends by itself."""
        QUEUE_DEPTH.set_function(lambda: len(queue))

    async def start(self) -> None:
        """Begin to lead: list everything first, so that nothing is decided on half of what is there."""
        self._reconciler.begin()
        self._queue.open()
        await self._sweep.run_until_it_works()
        self.tasks = [asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(self._workers)]

    async def stop(self) -> None:
        """Stop leading: nothing is written after this returns."""
        await cancelled(*self.tasks)
        self.tasks = []
        self._queue.close()

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            began = time.perf_counter()
            try:
                await self._look_at(key)
            finally:
                self._queue.done(key)
                RECONCILE_SECONDS.observe(time.perf_counter() - began)

    async def _look_at(self, key: RunKey) -> None:
        try:
            again = await self._reconciler.reconcile(key)
        except NotLeadingError as error:
            # A renewal that is late, but not too late, goes on with what was to be done; else the queue is closed.
            self._again_after(key, error)
        except ParseError as error:
            self._again_after(key, error, at_least=60)
        except InvalidError as error:
            INVALID.labels("run").inc()
            self._again_after(key, error, at_least=30)
        except ApiError as error:
            self._again_after(key, error, at_least=error.retry_after or 0)
        except (JobRefusedError, aiohttp.ClientError, TimeoutError) as error:
            self._again_after(key, error)
        except Exception as error:
            _log.exception("looking at a run failed", extra={"run": str(key)})
            self._again_after(key, error, at_least=1)
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again)

    def _again_after(self, key: RunKey, error: Exception, at_least: float = 0) -> None:
        RECONCILE_ERRORS.labels(type(error).__name__).inc()
        delay = self._queue.retry(key, at_least)
        level = logging.DEBUG if isinstance(error, (ConflictError, NotLeadingError)) else logging.WARNING
        _log.log(level, "a run is looked at again", extra={"run": str(key), "error": str(error), "delay": delay})
