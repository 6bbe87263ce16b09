"""An attempt in flight that has to stop: the reason stands in status before the Job is deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from modelyard_api.base import seconds
from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt

from modelyard_operator.domain.decision import DeleteJob
from modelyard_operator.domain.ending import Ending, Verdict
from modelyard_operator.domain.policies.ended import course_after, until_given_up
from modelyard_operator.domain.settings import SILENCE_OF_ALL
from modelyard_operator.domain.sighting import with_sightings
from modelyard_operator.domain.situation import Course, Situation

_PATIENCE_WITH_ALL = 4


def go_on_stopping(situation: Situation) -> Course | None:
    """An attempt that was told to stop and has not ended yet."""
    attempt = situation.open_attempt
    if attempt is None or attempt.reason is None:
        return None
    return _stop(situation, attempt, attempt.reason, attempt.message or "")


def stop_the_suspended(situation: Situation) -> Course | None:
    """`spec.suspend` frees the GPU."""
    attempt = situation.open_attempt
    if attempt is None or not situation.spec.suspend:
        return None
    return _stop(situation, attempt, Reason.SUSPENDED, "spec.suspend is true: the pod saves its work and ends")


def stop_after_active_deadline(situation: Situation) -> Course | None:
    """`recovery.activeDeadline`, over all attempts."""
    attempt, limit = situation.open_attempt, situation.spec.recovery.active_deadline
    if attempt is None or limit is None or situation.active_time_left:
        return None
    return _stop(situation, attempt, Reason.ACTIVE_DEADLINE_EXCEEDED, f"recovery.activeDeadline is {limit}")


def stop_after_start_deadline(situation: Situation) -> Course | None:
    """`recovery.startDeadline`, for each attempt."""
    attempt, limit = situation.open_attempt, situation.spec.recovery.start_deadline
    if attempt is None or limit is None or attempt.running_at is not None:
        return None
    if situation.pod is not None and situation.pod.running_at is not None:
        return None
    if start_time_left(situation, attempt) != timedelta(0):
        return None
    return _stop(situation, attempt, Reason.START_DEADLINE_EXCEEDED, f"recovery.startDeadline is {limit}")


def start_time_left(situation: Situation, attempt: Attempt) -> timedelta | None:
    """What is left of `recovery.startDeadline` for `attempt`; None without one, and while its Job waits in a queue."""
    since = situation.clock.since
    if since is None:
        return None
    return situation.remaining(situation.spec.recovery.start_deadline, max(since, attempt.started_at))


def stop_the_stalled(situation: Situation) -> Course | None:
    """`recovery.stallTimeout`: a trainer that was heard before and makes no progress any more.

    One that was never heard is left alone: the network may be at fault, and failing to report must not stop training.
    """
    attempt, limit = situation.open_attempt, situation.spec.recovery.stall_timeout
    since = last_progress(situation)
    if attempt is None or limit is None or since is None or situation.remaining(limit, since):
        return None
    return _stop(situation, attempt, Reason.STALLED, f"no progress since {since:%Y-%m-%dT%H:%M:%SZ}")


def last_progress(situation: Situation) -> datetime | None:
    """When the running pod last showed progress, as far as this process can tell.

    None while it was never heard. While nobody is heard though others are at work, it is the intake that is out of
    reach, most likely: silence then counts as a stall only once it has lasted `_PATIENCE_WITH_ALL` times as long, or
    trainers that hang would shield each other for ever. Whoever is alone is taken at its silence.
    """
    attempt, pod = situation.open_attempt, situation.pod
    if attempt is None or pod is None or pod.running_at is None:
        return None
    reported = situation.status.last_report_time
    if situation.report is not None:
        heard = situation.report.progressed_at
    elif reported is not None and reported >= pod.running_at:
        heard = reported
    else:
        return None
    hearing = situation.observed.hearing
    if hearing is not None and hearing.others:
        if hearing.last is None or hearing.since is None or situation.now - hearing.last > SILENCE_OF_ALL:
            heard = _heard_here(situation, heard)
            return heard + (_PATIENCE_WITH_ALL - 1) * timedelta(seconds=seconds(situation.spec.recovery.stall_timeout))
        heard = max(heard, hearing.since)
    return _heard_here(situation, heard)


def _heard_here(situation: Situation, heard: datetime) -> datetime:
    """Silence from before this process listened proves nothing."""
    listening = situation.settings.watching_since
    return max(heard, listening) if listening is not None else heard


def _stop(situation: Situation, attempt: Attempt, reason: str, message: str) -> Course:
    job = situation.job
    if job is None:
        # Its Job was never seen: there is nothing to wait for.
        return course_after(situation, attempt, _without_job(reason, message))
    stopping = with_sightings(attempt, job, situation.pod).model_copy(
        update={"reason": str(reason), "message": message}
    )
    actions = () if job.deleting else (DeleteJob(job.name, job.uid),)
    return Course(
        situation.status.phase, "Stopping", message, stopping, actions=actions, requeue_after=until_given_up(situation)
    )


def _without_job(reason: str, message: str) -> Ending:
    verdict = {
        Reason.SUSPENDED: Verdict.SUSPENDED,
        Reason.STALLED: Verdict.RETRY,
    }.get(Reason(reason), Verdict.FAILED)
    return Ending(verdict, reason, message)
