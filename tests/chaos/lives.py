"""Lives of runs: what happens to their pods, each time after the operator has said that it saw the last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_cluster.by_hand import set_evicted, set_running, set_terminated
from modelyard_operator.domain.clock import QUEUED as QUEUED_REASON
from modelyard_operator.kube import paths

from tests.chaos.witness import Object, Witness
from tests.integration.namespace_view import NamespaceView, attempt_of


@dataclass(frozen=True)
class Ends:
    """The trainer ends with an exit code and a reason, after so many epochs."""

    exit_code: int
    reason: Reason
    epoch: int = 0


@dataclass(frozen=True)
class IsEvicted:
    """The pod is evicted."""


@dataclass(frozen=True)
class IsSuspended:
    """The run is suspended while the attempt is at work, and goes on once its pod is gone."""


@dataclass(frozen=True)
class IsKilled:
    """The kernel kills the trainer, which leaves no word: for memory where the runtime says so."""

    for_memory: bool


@dataclass(frozen=True)
class LosesItsPod:
    """Somebody deletes the pod, and its kubelet ends the trainer before that could save anything."""


@dataclass(frozen=True)
class LosesItsJob:
    """Somebody deletes the Job."""


@dataclass(frozen=True)
class IsDeleted:
    """The run is deleted while the attempt is at work."""


Turn = Ends | IsEvicted | IsSuspended | IsKilled | LosesItsPod | LosesItsJob | IsDeleted
_COMPLETES = Ends(0, Reason.COMPLETED)
_MOST_MOVES = 40
"""In the longest life of those that are drawn there are a dozen."""


@dataclass(frozen=True)
class Life:
    """What happens to the attempts of a run, one for each.

    Attributes:
        changes: to the run's manifest, as `NamespaceView.apply` takes them.
        trained: whether a real trainer works in its pods, which run and end by themselves.
    """

    name: str
    turns: tuple[Turn, ...]
    changes: Mapping[str, object] = field(default_factory=dict)
    trained: bool = False


SMOOTH = Life("smooth", (_COMPLETES,))
OUT_OF_MEMORY = Life("out-of-memory", (Ends(11, Reason.OUT_OF_MEMORY), _COMPLETES), {"training__batchSize": 32})
EVICTED = Life("evicted", (IsEvicted(), _COMPLETES))
SUSPENDED = Life("suspended", (IsSuspended(), _COMPLETES))
RETRIED = Life("retried", (Ends(1, Reason.INTERNAL_ERROR, 2), _COMPLETES))
QUEUED = Life("queued", (_COMPLETES,), {"resources__queue": "team-a"})
DELETED = Life("deleted", (IsDeleted(),))
LIVES = (SMOOTH, OUT_OF_MEMORY, EVICTED, SUSPENDED, RETRIED, QUEUED, DELETED)
TRAINED = Life("trained", (_COMPLETES,), trained=True)


class Fate:
    """Moves one run's pods as its life has it. It waits for what status says, and so for an operator that is away."""

    def __init__(self, view: NamespaceView, witness: Witness, run: str, life: Life) -> None:
        self._view = view
        self._witness = witness
        self._run = run
        self._life = life
        self._done: set[tuple[int, str]] = set()

    async def play(self, seconds: float) -> None:
        """From the run's creation until its last attempt has ended and the run is Complete or Failed, or is gone.

        Args:
            seconds: the most that may pass from one move to the next.
        """
        await asyncio.to_thread(self._view.apply, self._run, **self._life.changes)
        loop = asyncio.get_running_loop()
        moves, deadline = 0, loop.time() + seconds
        while not self._is_over():
            if len(self._done) > moves:
                moves, deadline = len(self._done), loop.time() + seconds
            assert loop.time() < deadline, f"run {self._run} is not over: {self._witness.status(self._run)}"
            assert moves < _MOST_MOVES, f"run {self._run} does not end: {self._witness.status(self._run)}"
            await self._witness.change(0.5)
            await self._move()

    def _is_over(self) -> bool:
        if any(move == "deleted" for _, move in self._done):
            return not self._witness.run(self._run)
        return self._witness.status(self._run).get("phase") in ("Complete", "Failed")

    async def _move(self) -> None:
        status = self._witness.status(self._run)
        for attempt in status.get("attempts", ()):
            number = attempt["number"]
            pod = self._pod(number)
            # What its faults do to a run may cost it an attempt that its life does not know of.
            turn = self._life.turns[min(number, len(self._life.turns)) - 1]
            if isinstance(turn, IsSuspended) and status.get("phase") == "Suspended" and pod is None:
                if self._first_time(number, "resumed"):
                    await asyncio.to_thread(self._view.patch, self._run, {"suspend": False})
            elif pod is None and status.get("reason") == QUEUED_REASON:
                if self._first_time(number, "released"):
                    await asyncio.to_thread(self._release, attempt["jobName"])
            elif pod is None or "endedAt" in attempt:
                continue
            elif "runningAt" in attempt:
                if self._has_come_far(attempt) and self._first_time(number, "ended"):
                    await self._end(pod["metadata"]["name"], turn, attempt)
            elif self._life.trained:
                continue
            elif "jobUid" in attempt and pod["spec"].get("nodeName") and self._first_time(number, "running"):
                await asyncio.to_thread(
                    set_running, self._view.plane.api, self._view.namespace, pod["metadata"]["name"]
                )

    def _release(self, job: str) -> None:
        """What Kueue does once it is the Job's turn."""
        self._view.plane.api.patch(paths.job(self._view.namespace, job), {"spec": {"suspend": False}})

    def _has_come_far(self, attempt: Object) -> bool:
        """Whether something may happen to it: a real trainer is first to have done an epoch, and to have said so."""
        return not self._life.trained or attempt.get("epoch", 0) > 0

    def _pod(self, attempt: int) -> Object | None:
        return next((pod for pod in self._witness.pods(self._run) if attempt_of(pod) == attempt), None)

    def _first_time(self, attempt: int, move: str) -> bool:
        if (attempt, move) in self._done:
            return False
        self._done.add((attempt, move))
        return True

    async def _end(self, pod: str, turn: Turn, attempt: Object) -> None:
        api, namespace = self._view.plane.api, self._view.namespace
        match turn:
            case Ends() if self._life.trained:
                return
            case Ends():
                said = TerminationMessage(
                    reason=turn.reason, message="as it were", attempt=attempt["number"], epoch=turn.epoch
                )
                message = said.model_dump_json(by_alias=True, exclude_none=True)
                facts: dict[str, Any] = {"exit_code": turn.exit_code, "message": message}
                await asyncio.to_thread(set_terminated, api, namespace, pod, **facts)
            case IsKilled():
                facts = {"exit_code": 137, "reason": "OOMKilled" if turn.for_memory else "Error"}
                await asyncio.to_thread(set_terminated, api, namespace, pod, **facts)
            case IsEvicted():
                await asyncio.to_thread(set_evicted, api, namespace, pod, message="The node was low on memory.")
            case LosesItsPod():
                await asyncio.to_thread(api.delete, f"{paths.pods(namespace)}/{pod}")
                if not self._life.trained:
                    await asyncio.to_thread(set_terminated, api, namespace, pod, exit_code=143)
            case LosesItsJob():
                await asyncio.to_thread(api.delete, f"{paths.jobs(namespace)}/{attempt['jobName']}")
            case IsSuspended():
                await asyncio.to_thread(self._view.patch, self._run, {"suspend": True})
            case IsDeleted():
                await asyncio.to_thread(self._view.delete, self._run)
                self._first_time(attempt["number"], "deleted")
