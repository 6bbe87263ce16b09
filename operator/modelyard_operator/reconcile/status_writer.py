"""Writing status: only where it differs, at once where it matters, and else not too often."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from modelyard_api import API_VERSION
from modelyard_api.status import Progress, TrainingRunStatus

from modelyard_operator.domain.observed import ObservedRun, RunKey
from modelyard_operator.domain.policies.going import USUAL_STARTS
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.stored_run import StoredRun
from modelyard_operator.metrics import WRITES

FIELD_MANAGER = "modelyard-operator"


@dataclass(frozen=True)
class Pace:
    """Seconds between two writes of one run's status, by what changed. Phase, conditions and attempts never wait."""

    epoch: float = 1.0
    detail: float = 5.0
    heartbeat: float = 60.0


class StatusWriter:
    """Server-side apply of status with the resource version that was read: a conflict means to look again."""

    def __init__(self, client: KubeClient, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._pace = pace
        self._clock = clock
        self._written_at: dict[RunKey, float] = {}

    def delay(self, run: ObservedRun, wanted: TrainingRunStatus) -> float:
        """Seconds until `wanted` may be written."""
        pause = self._pause(run.status, wanted)
        written_at = self._written_at.get(run.key)
        return 0.0 if written_at is None else max(0.0, written_at + pause - self._clock())

    async def write(self, stored: StoredRun, wanted: TrainingRunStatus) -> StoredRun:
        """Write, and return the run as it then stands.

        Raises:
            ConflictError: the run has changed since it was read.
            NotFoundError: it is gone.
            InvalidError: the status breaks its schema.
        """
        key, status = stored.key, wanted.to_json_object()
        body = {
            "apiVersion": API_VERSION,
            "kind": "TrainingRun",
            "metadata": {"name": key.name, "namespace": key.namespace, "resourceVersion": stored.resource_version},
            "status": status,
        }
        path = paths.run_status(key.namespace, key.name)
        answer = await self._client.apply(path, body, manager=FIELD_MANAGER, metadata_only=True)
        self._written_at[key] = self._clock()
        WRITES.labels("status").inc()
        return stored.with_status(status, answer["metadata"]["resourceVersion"])

    def forget(self, key: RunKey) -> None:
        """Drop what is remembered of a run that is gone."""
        self._written_at.pop(key, None)

    def _pause(self, now: TrainingRunStatus, wanted: TrainingRunStatus) -> float:
        if _without_detail(now) != _without_detail(wanted):
            return 0.0
        before, after = now.progress or Progress(), wanted.progress or Progress()
        if before.epoch != after.epoch:
            return self._pace.epoch
        if _without_heartbeat(now) != _without_heartbeat(wanted):
            return self._pace.detail
        return self._pace.heartbeat


def _without_detail(status: TrainingRunStatus) -> tuple[object, ...]:
    """What a person or a program waits for."""
    attempts = [(attempt.number, attempt.running_at, attempt.ended_at, attempt.reason) for attempt in status.attempts]
    conditions = [(condition.type, condition.status) for condition in status.conditions]
    reason = None if status.reason in USUAL_STARTS else status.reason
    return status.phase, reason, attempts, conditions, status.observed_generation


def _without_heartbeat(status: TrainingRunStatus) -> TrainingRunStatus:
    progress = status.progress.model_copy(update={"elapsed": None, "eta": None}) if status.progress else None
    return status.model_copy(update={"last_report_time": None, "progress": progress})
