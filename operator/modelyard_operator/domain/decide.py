"""The heart of the operator: from what is seen of a run to what is said and done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from modelyard_operator.domain.decision import Decision
from modelyard_operator.domain.observed import Observed
from modelyard_operator.domain.policies import ended, going, outset, stopping, waiting
from modelyard_operator.domain.rendering import status_for
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.domain.situation import Course, Situation
from modelyard_operator.domain.tidying import tidying

Policy = Callable[[Situation], Course | None]

POLICIES: tuple[Policy, ...] = (
    outset.leave_the_deleted,
    outset.leave_the_finished,
    outset.refuse_the_unreadable,
    waiting.discard_a_job_of_another_spec,
    # An attempt in flight
    ended.wait_for_last_words,
    ended.note_the_end,
    ended.give_up_the_unreachable,
    ended.fail_the_refused,
    stopping.go_on_stopping,
    stopping.stop_the_suspended,
    stopping.stop_after_active_deadline,
    stopping.stop_after_start_deadline,
    stopping.stop_the_stalled,
    going.follow_the_attempt,
    # None in flight
    waiting.wait_while_suspended,
    waiting.wait_for_approval,
    waiting.wait_for_the_named_run,
    waiting.fail_after_active_deadline,
    waiting.wait_before_retry,
    waiting.create_the_first_job,
    waiting.begin_the_next_attempt,
)
"""In the order in which they are asked; the first that answers decides."""


def decide(observed: Observed, settings: RunSettings, now: datetime) -> Decision:
    """What should stand in the run's status, and what is to be done once it does.

    Pure: the same observation at the same time gives the same decision, and carrying one out twice changes nothing.
    """
    situation = Situation(observed, settings, now)
    course = _course(situation)
    if observed.run.deleting:
        return Decision(observed.run.status)
    status = observed.run.status if course.as_it_stands else status_for(situation, course)
    tidy, look_again = tidying(situation, status)
    waits = [wait for wait in (course.requeue_after, look_again) if wait is not None]
    return Decision(status, (*course.actions, *tidy), min(waits, default=None))


def _course(situation: Situation) -> Course:
    for policy in POLICIES:
        course = policy(situation)
        if course is not None:
            return course
    raise AssertionError("the last policy always answers")
