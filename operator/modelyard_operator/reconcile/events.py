"""Kubernetes Events on changes of conditions: written beside the loop, and dropped rather than waited for."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from modelyard_api import API_VERSION, GROUP
from modelyard_api.status import Condition, ConditionStatus, ConditionType, TrainingRunStatus

from modelyard_operator.domain.observed import ObservedRun
from modelyard_operator.domain.policies.going import USUAL_STARTS
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import JsonObject, KubeClient
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.rate import TokenBucket
from modelyard_operator.metrics import EVENTS_DROPPED, WRITES

_log = logging.getLogger(__name__)
_LONGEST_NOTE = 1024
_NORMAL, _WARNING = "Normal", "Warning"
_TOLD_BY_STATUS = (ConditionType.COMPLETE, ConditionType.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Note:
    """What one Event says."""

    kind: str
    reason: str
    message: str


def notes(before: TrainingRunStatus, after: TrainingRunStatus) -> list[Note]:
    """An Event for every change of condition that a person would want to be told: few, since each is one more write."""
    known = {condition.type: condition for condition in before.conditions}
    found = [_note(known.get(condition.type), condition) for condition in after.conditions]
    return [note for note in found if note is not None]


def _note(before: Condition | None, after: Condition) -> Note | None:
    turned = before is None or before.status != after.status
    holds = after.status is ConditionStatus.TRUE
    if after.type in _TOLD_BY_STATUS and turned and holds:
        return Note(_NORMAL, str(after.type), after.message)
    if after.type is ConditionType.FAILED and turned and holds:
        return Note(_WARNING, after.reason, after.message)
    if after.type is ConditionType.RUNNING and turned and holds:
        return Note(_NORMAL, "Running", after.message)
    if after.type is ConditionType.RECONCILING and holds and after.reason not in (*USUAL_STARTS, "WaitingForApproval"):
        # A retry, or trouble with node, image or volume: told once, when it begins.
        told = before is not None and before.status == after.status and before.reason == after.reason
        return None if told else Note(_WARNING, after.reason, after.message)
    return None


class EventWriter:
    """Writes Events at a modest rate.

    Args:
        client: to write with.
        instance: name of this replica.
        rate: Events a second.
        longest_queue: Events that may wait; the oldest make room.
    """

    def __init__(self, client: KubeClient, instance: str, rate: float = 10, longest_queue: int = 2000) -> None:
        self._client = client
        self._instance = instance
        self._limit = TokenBucket(rate, 25)
        self._queue: deque[tuple[str, JsonObject]] = deque(maxlen=longest_queue)
        self._available = asyncio.Event()

    def tell(self, run: ObservedRun, note: Note) -> None:
        """Have an Event written."""
        if len(self._queue) == self._queue.maxlen:
            EVENTS_DROPPED.inc()
        self._queue.append((run.key.namespace, _event(run, note, self._instance)))
        self._available.set()

    async def work(self) -> None:
        """Write what is told, for ever."""
        while True:
            await self._available.wait()
            while self._queue:
                await self._limit.wait()
                namespace, event = self._queue.popleft()
                await self._write(namespace, event)
            self._available.clear()

    async def _write(self, namespace: str, event: JsonObject) -> None:
        try:
            await self._client.create(paths.events(namespace), event)
            WRITES.labels("event").inc()
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("an Event was not written", extra={"event_reason": event["reason"], "error": str(error)})


def _event(run: ObservedRun, note: Note, instance: str) -> JsonObject:
    now = datetime.now(UTC)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": run.key.namespace, "name": f"{run.key.name[:200]}.{secrets.token_hex(8)}"},
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": f"{GROUP}/operator",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": note.reason[:128],
        "note": note.message[:_LONGEST_NOTE],
        "type": note.kind,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "TrainingRun",
            "namespace": run.key.namespace,
            "name": run.key.name,
            "uid": run.uid,
            "resourceVersion": run.resource_version,
        },
    }
