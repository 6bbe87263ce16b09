"""No attempt in flight: what a run waits for, and the next attempt once there is nothing left to wait for."""

from __future__ import annotations

from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt, Phase

from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.domain.names import job_name
from modelyard_operator.domain.policies.ended import retry_delay
from modelyard_operator.domain.situation import Course, Situation


def wait_while_suspended(situation: Situation) -> Course | None:
    """`spec.suspend`."""
    if not situation.spec.suspend:
        return None
    return Course(Phase.SUSPENDED, Reason.SUSPENDED, "spec.suspend is true; set it to false to let the run go on")


def wait_for_approval(situation: Situation) -> Course | None:
    """`spec.approval`, which is asked for once: a run that has started is not asked again."""
    approval = situation.spec.approval
    if not approval.required or approval.approved or situation.status.started_at is not None:
        return None
    return Course(Phase.PENDING, "WaitingForApproval", "set spec.approval.approved to true to let the run start")


def fail_after_active_deadline(situation: Situation) -> Course | None:
    """A deadline that passed between two attempts."""
    began, limit = situation.status.started_at, situation.spec.recovery.active_deadline
    if began is None or limit is None or situation.remaining(limit, began):
        return None
    message = f"the run took longer than recovery.activeDeadline, {limit}"
    return Course(Phase.FAILED, Reason.ACTIVE_DEADLINE_EXCEEDED, message)


def wait_before_retry(situation: Situation) -> Course | None:
    """The back-off after an attempt that counted."""
    latest = situation.latest
    if latest is None or latest.ended_at is None:
        return None
    ready_at = latest.ended_at + retry_delay(latest, situation.status.retries, situation.settings)
    if situation.now >= ready_at:
        return None
    status = situation.status
    return Course(
        Phase.PENDING, status.reason or "Retrying", status.message or "", requeue_after=ready_at - situation.now
    )


def begin_the_next_attempt(situation: Situation) -> Course:
    """Nothing stands in the way."""
    run = situation.observed.run
    number = situation.status.current_attempt + 1
    attempt = Attempt(
        number=number,
        batch_size=situation.status.batch_size or situation.spec.training.batch_size,
        job_name=job_name(run.key.name, run.uid, number),
        started_at=situation.now.replace(microsecond=0),
    )
    return Course(
        Phase.STARTING,
        "JobCreated",
        f"attempt {number} begins as Job {attempt.job_name}",
        attempt,
        actions=(CreateJob(number),),
    )
