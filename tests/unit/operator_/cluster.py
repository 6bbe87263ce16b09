"""An API server with one run in it, and a reconciler that looks at that run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from modelyard_api.status import TrainingRunStatus
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError, NotFoundError
from modelyard_operator.kube.stored_run import StoredRun
from modelyard_operator.reconcile.actions import ActionRunner
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.events import EventWriter
from modelyard_operator.reconcile.reconciler import Reconciler
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.world import SETTINGS, World, as_served


def patient_queue() -> WorkQueue[RunKey]:
    """A queue, still closed, in which no run hurries."""
    return WorkQueue[RunKey](lambda _: False, others_at_once=8)


class Cluster:
    """It takes status as it comes, and refuses Jobs while `refuses` is set.

    Attributes:
        run: the run as it stands here; None once it is gone.
        statuses: what was written of it.
        jobs: names of the Jobs that were created.
        reports: what was heard of trainers.
    """

    def __init__(self, world: World, refuses: ApiError | None = None) -> None:
        self.refuses = refuses
        self.cache = Cache()
        self.cache.store_run(world.stored())
        self.run: StoredRun | None = world.stored()
        self.statuses: list[TrainingRunStatus] = []
        self.jobs: list[str] = []
        self.reports = ReportStore()
        self._version = 100

    def reconciler(self, clock: Callable[[], float] = time.monotonic) -> Reconciler:
        """One that leads, and knows of the run what stands in `cache`."""

        async def prepare(_: str) -> None:
            """Nothing to prepare."""

        client = cast("KubeClient", self)
        return Reconciler(
            client=client,
            cache=self.cache,
            reports=self.reports,
            actions=ActionRunner(client, self.cache, SETTINGS, prepare),
            writer=StatusWriter(client, Pace()),
            events=EventWriter(client, "test", patient_queue().calm),
            settings=SETTINGS,
            is_leader=lambda: True,
            clock=clock,
        )

    async def apply(self, path: str, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert path.endswith("/status")
        self.statuses.append(TrainingRunStatus.model_validate(body["status"]))
        answer = self._answer({})
        assert self.run is not None
        self.run = self.run.with_status(body["status"], answer["metadata"]["resourceVersion"])
        return answer

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path.endswith("/jobs")
        if self.refuses is not None:
            raise self.refuses
        self.jobs.append(body["metadata"]["name"])
        return self._answer(body["metadata"])

    async def get(self, path: str) -> dict[str, Any]:
        """The run, or somebody else's Job of that name."""
        name = path.rsplit("/", maxsplit=1)[-1]
        if paths.PLURAL not in path:
            return {"metadata": {"name": name, "namespace": "vision"}}
        if self.run is None:
            raise NotFoundError(404, "NotFound", name)
        return as_served(self.run.observed())

    async def list(
        self, path: str, selector: str | None = None, not_before: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The run, and neither Job nor pod."""
        if paths.PLURAL in path and self.run is not None:
            yield as_served(self.run.observed())

    def _answer(self, metadata: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        made = {"uid": "job-1", "creationTimestamp": "2026-11-21T12:00:00Z", "resourceVersion": str(self._version)}
        return {"metadata": {**metadata, **made}}
