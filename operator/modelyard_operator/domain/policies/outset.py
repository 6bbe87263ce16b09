"""Before anything is done: runs that are over, going, or not to be understood."""

from __future__ import annotations

from datetime import timedelta

from modelyard_api.outcome import Reason
from modelyard_api.status import Phase

from modelyard_operator.domain.situation import Course, Situation

_UNTIL_READ_AGAIN = timedelta(minutes=5)


def leave_the_deleted(situation: Situation) -> Course | None:
    """A run that is being deleted takes its Jobs along by garbage collection: nothing is begun for it any more."""
    return Course.unchanged(situation) if situation.observed.run.deleting else None


def leave_the_finished(situation: Situation) -> Course | None:
    """Complete and Failed are for ever: a new try is a new run. An edit is observed, or kstatus waits without end."""
    if situation.status.phase not in (Phase.COMPLETE, Phase.FAILED):
        return None
    observed = situation.status.observed_generation == situation.observed.run.generation
    return Course.unchanged(situation, as_it_stands=observed)


def refuse_the_unreadable(situation: Situation) -> Course | None:
    """A spec that the API server let through and this operator cannot read (CRD and operator differ in version).

    A run that an operator has begun already was readable to that one, and its Job may be at work: it waits for such
    an operator to come back.
    """
    run = situation.observed.run
    if run.spec is not None:
        return None
    if situation.status.attempts:
        return Course.unchanged(situation, requeue_after=_UNTIL_READ_AGAIN)
    return Course(Phase.FAILED, Reason.SPEC_INVALID, f"this operator cannot read the spec: {run.spec_error}")
