"""Jobs of attempts that are over: the finished may expire, the left-over are deleted."""

from __future__ import annotations

from datetime import timedelta

from modelyard_api.base import seconds
from modelyard_api.status import TrainingRunStatus

from modelyard_operator.domain.decision import Action, DeleteJob, LimitJob
from modelyard_operator.domain.observed import ObservedJob
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.domain.situation import Situation

STRAY_AFTER = timedelta(seconds=60)
"""How long the Job of an ended attempt may take to notice that its pod has ended."""


def tidying(situation: Situation, status: TrainingRunStatus) -> tuple[tuple[Action, ...], timedelta | None]:
    """Actions for Jobs of attempts that have ended, and when to look again.

    `status` is what will stand when these actions are carried out: an end that is noted just now counts, since nothing
    may happen to the run after it that would have it looked at.
    """
    run = situation.observed.run
    ended = {attempt.job_name: attempt for attempt in status.attempts if attempt.ended_at is not None}
    actions: list[Action] = []
    look_again: timedelta | None = None
    ttl = seconds(run.spec.recovery.ttl_after_finished) if run.spec is not None else None
    for job in situation.observed.jobs:
        if job.owner_uid != run.uid or job.deleting or not _is_over(job, status):
            continue
        if job.outcome is not None and ttl in (None, job.ttl_seconds):
            continue
        attempt = ended.get(job.name)
        over_since = attempt.ended_at if attempt is not None and attempt.ended_at is not None else job.created_at
        patience = over_since + _patience(job, situation.settings) - situation.now
        if patience > timedelta(0):
            look_again = min(patience, look_again or patience)
        elif job.outcome is not None:
            actions.append(LimitJob(job.name, "ttlSecondsAfterFinished", ttl))
        else:
            actions.append(DeleteJob(job.name, job.uid))
    return tuple(actions), look_again


def _patience(job: ObservedJob, settings: RunSettings) -> timedelta:
    if job.outcome is not None:
        return settings.tidy_after
    # One that another has suspended, such as Kueue, would begin again beside its successor once it is released.
    return timedelta(0) if job.suspended else STRAY_AFTER


def _is_over(job: ObservedJob, status: TrainingRunStatus) -> bool:
    """Whether the job's attempt has ended; one that status has forgotten made room for later ones, so it has."""
    attempt = next((attempt for attempt in status.attempts if attempt.job_name == job.name), None)
    return attempt.ended_at is not None if attempt is not None else job.attempt <= status.current_attempt
