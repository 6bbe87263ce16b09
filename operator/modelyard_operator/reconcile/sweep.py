"""Listing everything anew: what no event has told is found here, and what is gone is forgotten."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import aiohttp

from modelyard_operator.domain.names import RUN_UID_LABEL
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import JsonObject, KubeClient
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.parse import ParseError, parse_job, parse_pod
from modelyard_operator.kube.stored_run import store_run
from modelyard_operator.metrics import RUNS, SWEEP_SECONDS
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.workqueue import WorkQueue

_log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Sweep:
    """Lists runs, Jobs and pods of every watched namespace, and has every run looked at.

    Args:
        namespaces: those that are watched; empty for all.
    """

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        reports: ReportStore,
        queue: WorkQueue[RunKey],
        namespaces: tuple[str, ...],
    ) -> None:
        self._client = client
        self._cache = cache
        self._reports = reports
        self._queue = queue
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self.finished = False
        """Whether everything was listed at least once."""

    async def run(self) -> None:
        """List everything once.

        Raises:
            ApiError, aiohttp.ClientError, TimeoutError: the list is not whole; nothing was forgotten for it.
        """
        began = time.perf_counter()
        await self._sweep_pods()
        await self._sweep_jobs()
        await self._sweep_runs()
        SWEEP_SECONDS.observe(time.perf_counter() - began)
        self.finished = True

    async def run_until_it_works(self) -> None:
        """List everything, again and again while the API server cannot be reached or knows no TrainingRuns."""
        pause = 0.2
        while True:
            try:
                await self.run()
                return
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                _log.warning("the list of everything is repeated", extra={"error": str(error), "delay": pause})
                await asyncio.sleep(pause)
                pause = min(10.0, pause * 2)

    async def keep(self, pause: float) -> None:
        """List everything every `pause` seconds, for ever: on standbys too, which would never forget else."""
        while True:
            await asyncio.sleep(pause)
            await self.run_until_it_works()

    async def _sweep_runs(self) -> None:
        # Only what was known before the list began can be missed by it: what came later is simply too new.
        before = dict(self._cache.runs)
        found: set[str] = set()
        async for raw in self._list(paths.runs, None):
            found.add(raw["metadata"]["uid"])
            run = store_run(raw)
            self._cache.store_run(run, before.get(run.key))
        for run in before.values():
            if run.uid not in found:
                self._cache.drop_run(run)
        for key in self._cache.runs:
            self._queue.add(key)
        count_phases(self._cache)

    async def _sweep_jobs(self) -> None:
        before = dict(self._cache.jobs)
        found: set[str] = set()
        async for raw in self._list(paths.jobs, RUN_UID_LABEL):
            found.add(raw["metadata"]["uid"])
            job = _parsed(parse_job, raw)
            if job is not None:
                self._cache.store_job(job, before.get((job.namespace, job.name)))
        for job in before.values():
            if job.uid not in found:
                self._cache.drop_job(job)

    async def _sweep_pods(self) -> None:
        before = dict(self._cache.pods)
        found: set[str] = set()
        async for raw in self._list(paths.pods, RUN_UID_LABEL):
            found.add(raw["metadata"]["uid"])
            pod = _parsed(parse_pod, raw)
            if pod is not None:
                self._cache.store_pod(pod, before.get(pod.uid))
        for pod in before.values():
            if pod.uid not in found:
                self._cache.drop_pod(pod)
                self._reports.forget(pod.uid)

    async def _list(self, path: Callable[[str | None], str], selector: str | None) -> AsyncIterator[JsonObject]:
        for namespace in self._namespaces:
            async for raw in self._client.list(path(namespace), selector):
                yield raw


def count_phases(cache: Cache) -> None:
    """Tell Prometheus how many runs are in each phase."""
    RUNS.clear()
    for phase, count in cache.phases().items():
        RUNS.labels(phase).set(count)


def _parsed(parse: Callable[[JsonObject], Item], raw: JsonObject) -> Item | None:
    try:
        return parse(raw)
    except ParseError as error:
        _log.error("an object is left alone", extra={"error": str(error)})
        return None
