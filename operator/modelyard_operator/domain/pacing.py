"""Which attempts use up a retry, and how long the next one waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt

from modelyard_operator.domain.settings import RunSettings

_FREE_AFTER_PROGRESS = (Reason.INTERRUPTED, Reason.LOST, Reason.STORE_UNREACHABLE)
_BOUNDED_ELSEWHERE = (Reason.SUSPENDED, Reason.OUT_OF_MEMORY, Reason.DIVERGED)
"""By hand, by recovery.oom and by recovery.divergence."""
_AT_ONCE = 2
"""Interruptions in a row without a further epoch after which the next attempt still begins at once."""


def counts(attempts: Sequence[Attempt]) -> bool:
    """Whether the last of `attempts`, which has ended, uses up one of the retries.

    An interruption, or a store that is away, is free once the run has done an epoch, in whichever attempt: before, it
    counts, or a run that is preempted before it gets anywhere would never end.
    """
    ended = attempts[-1]
    if ended.reason in _BOUNDED_ELSEWHERE:
        return False
    return not (ended.reason in _FREE_AFTER_PROGRESS and _furthest(attempts) > 0)


def retry_delay(attempts: Sequence[Attempt], retries: int, settings: RunSettings) -> timedelta:
    """How long to wait after the last of `attempts`, by when `retries` have been used up, before the next one."""
    if counts(attempts):
        return _doubled(retries - 1, settings)
    in_vain = _in_vain(attempts)
    return _doubled(in_vain - _AT_ONCE - 1, settings) if in_vain > _AT_ONCE else timedelta(0)


def _doubled(times: int, settings: RunSettings) -> timedelta:
    doubled: timedelta = settings.retry_delay * 2.0 ** min(max(0, times), 16)
    return min(doubled, settings.longest_retry_delay)


def _in_vain(attempts: Sequence[Attempt]) -> int:
    """How many interruptions in a row, up to the last of `attempts`, have brought the run no further epoch."""
    if attempts[-1].reason not in _FREE_AFTER_PROGRESS:
        return 0
    found = 0
    for index in reversed(range(len(attempts))):
        attempt = attempts[index]
        if attempt.reason == Reason.SUSPENDED:
            continue
        if attempt.reason not in _FREE_AFTER_PROGRESS or attempt.epoch > _furthest(attempts[:index]):
            break
        found += 1
    return found


def _furthest(attempts: Sequence[Attempt]) -> int:
    return max((attempt.epoch for attempt in attempts), default=0)
