"""Lives, and faults for them, drawn from a seed: the same number gives the same run, whatever comes before it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelyard_api.outcome import Reason

from tests.chaos.faults import Expire, Fault, Freeze, Hide, Kill, OfKind, Refuse, Side, Stale, Write
from tests.chaos.lives import (
    Ends,
    IsDeleted,
    IsEvicted,
    IsKilled,
    IsSuspended,
    Life,
    LosesItsJob,
    LosesItsPod,
    Turn,
)

KINDS = ("trainingruns", "jobs", "pods")
MAX_RETRIES = 2
ONE_IN_TRAINED = 12
"""One run in so many has a real trainer."""
_ERRORS = ((409, "Conflict", None), (429, "TooManyRequests", 1), (500, "InternalError", None))
_WRITES = (
    *(("PATCH trainingruns/status", nth) for nth in range(1, 9)),
    *(("POST jobs", nth) for nth in range(1, 4)),
    *(("DELETE jobs", 1), ("PATCH jobs", 1)),
)


@dataclass(frozen=True)
class DrawnRun:
    """One run of a load.

    Attributes:
        phase: how it must end; None for a run that is deleted.
        reason: the reason of that.
    """

    name: str
    life: Life
    faults: tuple[Fault, ...]
    phase: str | None
    reason: str

    def __str__(self) -> str:
        told = [str(turn) for turn in self.life.turns] + [str(fault) for fault in self.faults]
        return f"{self.name}: {'; '.join(told)}; should end {self.phase} with {self.reason}"


def draw(seed: int, number: int, *, kills: float) -> DrawnRun:
    """The run of that number; the operator is killed at one of its writes with probability `kills`."""
    chance = random.Random(f"{seed}/{number}")
    name = f"drawn-{number}"
    trained = number % ONE_IN_TRAINED == 0
    turns = tuple(_turns_of_a_trainer(chance) if trained else _turns(chance))
    faults: list[Fault] = [
        Refuse(Write(name, *write), *chance.choice(_ERRORS)) for write in chance.sample(_WRITES, chance.randint(0, 4))
    ]
    if chance.random() < kills:
        faults.append(Kill(Write(name, *chance.choice(_WRITES)), chance.choice(list(Side))))
    phase, reason = outcome(turns, done=int(trained))
    changes: dict[str, object] = {"recovery__maxRetries": MAX_RETRIES, "training__batchSize": 32}
    if trained:
        changes |= {"model__architecture": "linear-500ms", "training__epochs": 6}
    return DrawnRun(name, Life(name, turns, changes, trained), tuple(faults), phase, reason)


def _turns(chance: random.Random) -> Iterator[Turn]:
    """A few attempts that do not come to the end, and one that does, or cannot."""
    for number in range(chance.choice([0, 0, 1, 1, 2, 3])):
        epoch = number + 1
        setbacks: list[Turn] = [
            Ends(1, Reason.INTERNAL_ERROR, epoch),
            Ends(11, Reason.OUT_OF_MEMORY, epoch),
            Ends(12, Reason.INTERRUPTED, epoch),
            Ends(13, Reason.STORE_UNREACHABLE, epoch),
            IsKilled(for_memory=False),
            IsKilled(for_memory=True),
            IsEvicted(),
            LosesItsPod(),
            LosesItsJob(),
            IsSuspended(),
        ]
        yield chance.choice(setbacks)
    ends: list[Turn] = [
        *([Ends(0, Reason.COMPLETED, 30)] * 6),
        Ends(10, Reason.DATASET_EMPTY),
        Ends(14, Reason.DIVERGED, 3),
        Ends(15, Reason.EXPORT_DIFFERS, 30),
        IsDeleted(),
    ]
    yield chance.choice(ends)


def _turns_of_a_trainer(chance: random.Random) -> Iterator[Turn]:
    """An attempt that something happens to, at times, and one that comes to the end."""
    setbacks: list[Turn] = [LosesItsPod(), LosesItsJob(), IsSuspended()]
    if chance.random() < 0.5:
        yield chance.choice(setbacks)
    yield Ends(0, Reason.COMPLETED)


def outcome(turns: Sequence[Turn], done: int = 0) -> tuple[str | None, str]:
    """Phase and reason that a run has to end with, told from what happens to it alone, and epochs done before that.

    A smaller batch and a suspension cost nothing; an interruption costs nothing once an epoch was done; all else costs
    a retry. The memory of the host is a matter of loader workers, of which there is something to do without twice.
    """
    used, memory, furthest = 0, 0, done
    for turn in turns:
        furthest = max(furthest, turn.epoch if isinstance(turn, Ends) else 0)
        match turn:
            case IsDeleted():
                return None, ""
            case Ends(0):
                return "Complete", Reason.COMPLETED
            case Ends(10 | 14 | 15):
                return "Failed", turn.reason
            case IsKilled(for_memory=True) if memory == 2:
                return "Failed", Reason.HOST_OUT_OF_MEMORY
            case IsKilled(for_memory=True):
                memory += 1
                used += 1
            case Ends(1) | IsKilled():
                used += 1
            case Ends(12 | 13) | IsEvicted() | LosesItsPod() | LosesItsJob():
                used += 0 if furthest else 1
        if used > MAX_RETRIES:
            return "Failed", Reason.RETRIES_EXHAUSTED
    raise ValueError("the last turn ends the run")


@dataclass(frozen=True)
class Disturbance:
    """What is wrong with watches or lists for a while."""

    after: float
    fault: OfKind
    seconds: float


def disturbances(seed: int) -> Iterator[Disturbance]:
    """One after the other, for as long as anybody asks."""
    chance = random.Random(f"{seed}/disturbances")
    while True:
        fault = chance.choice([Hide, Expire, Freeze, Stale])(chance.choice(KINDS))
        yield Disturbance(chance.uniform(0.3, 2), fault, chance.uniform(0.5, 2.5))
