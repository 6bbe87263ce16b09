"""Kubernetes Events on changes of conditions: written beside the loop, and dropped rather than waited for."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from modelyard_api import API_VERSION, GROUP
from modelyard_api.outcome import Reason
from modelyard_api.status import Condition, ConditionStatus, ConditionType, TrainingRunStatus

from modelyard_operator.domain.observed import ObservedRun, RunKey
from modelyard_operator.domain.policies.going import USUAL_STARTS
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import JsonObject, KubeClient
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.kube.rate import TokenBucket
from modelyard_operator.metrics import EVENTS_DROPPED, WRITES

_log = logging.getLogger(__name__)
_LONGEST_NOTE = 1024
"""Bytes: the API server refuses an Event whose note is longer."""
_NORMAL, _WARNING = "Normal", "Warning"
Calm = Callable[[], Awaitable[None]]
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
        early = after.reason == Reason.COMPLETED_EARLY
        return Note(_NORMAL, after.reason if early else str(after.type), after.message)
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
        calm: waits while there is something more urgent to write: an Event says when it was, and may come late.
        rate: Events a second.
        longest_queue: Events that may wait; the oldest make room.
    """

    def __init__(
        self,
        client: KubeClient,
        instance: str,
        calm: Calm,
        rate: float = 10,
        longest_queue: int = 2000,
    ) -> None:
        self._client = client
        self._instance = instance
        self._calm = calm
        self._limit = TokenBucket(rate, 25)
        self._queue: deque[_Told] = deque(maxlen=longest_queue)
        self._available = asyncio.Event()

    def tell(self, run: ObservedRun, note: Note) -> None:
        """Have an Event written."""
        if len(self._queue) == self._queue.maxlen:
            EVENTS_DROPPED.inc()
        self._queue.append(_Told(run.key, run.uid, note, datetime.now(UTC)))
        self._available.set()

    async def work(self) -> None:
        """Write what is told, for ever."""
        while True:
            await self._available.wait()
            while self._queue:
                await self._limit.wait()
                await self._calm()
                await self._write(self._queue.popleft())
            self._available.clear()

    async def _write(self, told: _Told) -> None:
        try:
            await self._client.create(paths.events(told.key.namespace), _event(told, self._instance))
            WRITES.labels("event").inc()
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            extra = {"run": str(told.key), "event_reason": told.note.reason, "error": str(error)}
            _log.warning("an Event was not written", extra=extra)


@dataclass(frozen=True, slots=True)
class _Told:
    """An Event that waits to be written: small, since many may wait."""

    key: RunKey
    uid: str
    note: Note
    at: datetime


def _event(told: _Told, instance: str) -> JsonObject:
    namespace, name = told.key.namespace, told.key.name
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{name[:200]}.{secrets.token_hex(8)}"},
        "eventTime": told.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": f"{GROUP}/operator",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": told.note.reason[:128],
        "note": told.note.message.encode()[:_LONGEST_NOTE].decode(errors="ignore"),
        "type": told.note.kind,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "TrainingRun",
            "namespace": namespace,
            "name": name,
            "uid": told.uid,
        },
    }
