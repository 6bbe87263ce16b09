"""No attempt in flight: what a run waits for, and the next attempt once there is nothing left to wait for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt, Phase

from modelyard_operator.domain.advice import begins
from modelyard_operator.domain.decision import CreateJob, DeleteJob
from modelyard_operator.domain.names import job_name
from modelyard_operator.domain.observed import ObservedJob
from modelyard_operator.domain.pacing import retry_delay
from modelyard_operator.domain.policies.ended import until_given_up
from modelyard_operator.domain.situation import Course, Situation
from modelyard_operator.domain.terms import next_terms

_UNTIL_ASKED_AGAIN = timedelta(seconds=10)
"""Looking at another run costs nothing: it is in the cache."""
_YOUNG = timedelta(minutes=1)
"""Clocks that differ by as much only cost a run the short cut."""


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


def wait_for_the_named_run(situation: Situation) -> Course | None:
    """`spec.model.from.run`: its weights are there once it is complete. A run that has started does not ask again."""
    start = situation.spec.model.start
    if start is None or start.run is None or situation.status.started_at is not None:
        return None
    source, field = situation.observed.source, "spec.model.from.run"
    if source is None:
        return _waits(f"waits for run {start.run}, which is not there")
    if source.uid == situation.observed.run.uid:
        return Course(Phase.FAILED, Reason.SPEC_INVALID, f"{field} names this very run; another one would be right")
    if source.status.phase is Phase.FAILED:
        message = f"{field}: run {start.run} failed and has published nothing; one that is complete would be right"
        return Course(Phase.FAILED, Reason.WEIGHTS_NOT_FOUND, message)
    if source.status.phase is Phase.COMPLETE and situation.source is not None:
        return None
    progress = source.status.progress
    done = f", epoch {progress.display}" if progress is not None and progress.epochs else ""
    return _waits(f"waits for run {start.run}, which is {source.status.phase}{done}")


def _waits(message: str) -> Course:
    return Course(Phase.PENDING, "WaitingForRun", message, requeue_after=_UNTIL_ASKED_AGAIN)


def fail_after_active_deadline(situation: Situation) -> Course | None:
    """A deadline that passed between two attempts."""
    limit = situation.spec.recovery.active_deadline
    if limit is None or situation.status.started_at is None or situation.active_time_left:
        return None
    message = f"the run took longer than recovery.activeDeadline, {limit}"
    return Course(Phase.FAILED, Reason.ACTIVE_DEADLINE_EXCEEDED, message)


def wait_before_retry(situation: Situation) -> Course | None:
    """The back-off after an attempt that counted."""
    latest = situation.latest
    if latest is None or latest.ended_at is None:
        return None
    ready_at = latest.ended_at + retry_delay(situation.status.attempts, situation.status.retries, situation.settings)
    if situation.now >= ready_at:
        return None
    status = situation.status
    return Course(
        Phase.PENDING, status.reason or "Retrying", status.message or "", requeue_after=ready_at - situation.now
    )


def discard_a_job_of_another_spec(situation: Situation) -> Course | None:
    """The spec was edited after the first Job was made from it and before its attempt stood in status.

    Whoever noted the attempt may not have seen that Job, and have met it where it was to create its own.
    """
    job, attempt = _unrecorded_job(situation), situation.open_attempt
    # Once the attempt stands in status what it trains is fixed: what is edited later may be, in flight.
    made_of = situation.observed.run.generation if attempt is None else situation.status.observed_generation
    if job is None or job.generation is None or job.generation >= made_of:
        return None
    left = until_given_up(situation) if attempt is not None else None
    if left == timedelta(0):
        return None  # its node is out of reach, and the attempt is given up like any other
    message = f"the spec was changed while Job {job.name} was created; another is made once this one is gone"
    actions = () if job.deleting else (DeleteJob(job.name, job.uid),)
    phase = Phase.PENDING if attempt is None else Phase.STARTING
    return Course(phase, "SpecChanged", message, actions=actions, requeue_after=left)


def create_the_first_job(situation: Situation) -> Course | None:
    """A run that was created just now gets its Job before anything is written of it: its pod starts a write earlier.

    Elsewhere an attempt stands in status before its Job exists, so that one whose Job was removed is not begun again.
    The Job of a run this young has not ended and expired, so here the Job itself can be the record.
    """
    run, observed = situation.observed.run, situation.observed
    if situation.status.attempts or observed.jobs or observed.refusal is not None:
        return None
    if abs(situation.now - run.created_at) > _YOUNG:
        return None
    actions = (CreateJob(_next_attempt(situation), situation.source),)
    return Course.unchanged(situation, actions=actions, requeue_after=timedelta(0))


def begin_the_next_attempt(situation: Situation) -> Course:
    """Nothing stands in the way."""
    attempt, job = _next_attempt(situation), _unrecorded_job(situation)
    message = begins(situation.spec, attempt)
    if job is not None:
        begun = attempt.model_copy(update={"started_at": job.created_at, "job_uid": job.uid})
        # Its pod may have been seen before anybody knew what it belongs to: look again.
        return Course(Phase.STARTING, "JobCreated", message, begun, requeue_after=timedelta(0))
    refusal = situation.refusal_of(attempt.job_name)
    told = ("JobCreated", message) if refusal is None else (Reason.JOB_REFUSED, refusal.message)
    return Course(Phase.STARTING, *told, attempt, actions=(CreateJob(attempt, situation.source),))


def _next_attempt(situation: Situation) -> Attempt:
    run = situation.observed.run
    number = situation.status.current_attempt + 1
    return Attempt(
        number=number,
        job_name=job_name(run.key.name, run.uid, number),
        started_at=situation.now.replace(microsecond=0),
        **asdict(next_terms(situation.spec, situation.status.attempts)),
    )


def _unrecorded_job(situation: Situation) -> ObservedJob | None:
    """The first attempt's Job, where status does not tell of it yet."""
    latest = situation.latest
    if latest is not None and (latest.number > 1 or latest.ended_at is not None or latest.job_uid is not None):
        return None
    run = situation.observed.run
    return next((job for job in situation.observed.jobs if job.owner_uid == run.uid and job.attempt == 1), None)
