"""A course, written down as a status."""

from __future__ import annotations

from datetime import datetime

from modelyard_api.status import Attempt, Phase, TrainingRunStatus

from modelyard_operator.domain.clock import stands_still
from modelyard_operator.domain.conditions import conditions_of
from modelyard_operator.domain.pacing import counts
from modelyard_operator.domain.situation import Course, Situation
from modelyard_operator.domain.telling import fresh_progress, training_has_begun, with_last_words, with_report

MAX_ATTEMPTS = 100
"""Attempts kept in status; the oldest make room."""
_TOLD_IN_FULL, _CUT = 10, 256
"""Of the newest attempts the whole message is kept, of the others so many characters."""
_OVER = (Phase.COMPLETE, Phase.FAILED)


def status_for(situation: Situation, course: Course) -> TrainingRunStatus:
    """The status that says what `course` says: made from the live one, so that nothing in it is lost."""
    now = situation.now.replace(microsecond=0)
    status = _with_attempt(situation, course)
    if (
        situation.report is not None
        and status.attempts
        and status.attempts[-1].number == situation.report.report.attempt
    ):
        status = with_report(status, situation.report)
    if course.ending is not None and course.ending.last_words is not None:
        status = with_last_words(status, course.ending.last_words)
    over = course.phase in _OVER
    status = status.model_copy(
        update={
            "phase": course.phase,
            "reason": str(course.reason)[:256],
            "message": course.message[:4096] or None,
            "observed_generation": situation.observed.run.generation,
            "finished_at": (status.finished_at or now) if over else None,
            "attempts": _with_epoch(status),
            "progress": _settled(status, course.phase),
            **_clock(situation, status, course),
        }
    )
    conditions = conditions_of(status, situation.observed.run.spec, situation.observed.run.generation, now)
    return status.model_copy(update={"conditions": conditions})


def _with_attempt(situation: Situation, course: Course) -> TrainingRunStatus:
    status, attempt = situation.status, course.attempt
    if attempt is None:
        return status
    others = [other for other in status.attempts if other.number != attempt.number]
    update: dict[str, object] = {"attempts": _short([*others, attempt])}
    if attempt.number > status.current_attempt:
        update |= {
            "current_attempt": attempt.number,
            "started_at": status.started_at or attempt.started_at,
            "batch_size": attempt.batch_size,
            "progress": fresh_progress(situation.spec.epochs_to_train, status.progress, status.checkpoint),
        }
    if course.ending is not None and course.phase not in _OVER and counts([*others, attempt]):
        update["retries"] = status.retries + 1
    return status.model_copy(update=update)


def _short(attempts: list[Attempt]) -> list[Attempt]:
    """As much of them as a status has room for."""
    kept = attempts[-MAX_ATTEMPTS:]
    return [_cut(attempt) for attempt in kept[:-_TOLD_IN_FULL]] + kept[-_TOLD_IN_FULL:]


def _cut(attempt: Attempt) -> Attempt:
    if len(attempt.message or "") <= _CUT:
        return attempt
    return attempt.model_copy(update={"message": f"{(attempt.message or '')[: _CUT - 4]} ..."})


def _clock(situation: Situation, status: TrainingRunStatus, course: Course) -> dict[str, object]:
    """The clock of the run, which goes from its start on except while it is suspended or queued, and until its end."""
    if status.started_at is None:
        return {}
    clock, now = situation.clock, situation.now.replace(microsecond=0)
    if situation.status.started_at is None:
        clock = clock.going(status.started_at)
    if not stands_still(course.phase, course.reason):
        return clock.going(now).fields()
    return clock.stopped(_stood_still_from(course) or now).fields()


def _stood_still_from(course: Course) -> datetime | None:
    """When the clock stopped, where that is known better than by when it was noticed."""
    attempt = course.attempt
    if attempt is None:
        return None
    if course.ending is not None:
        return attempt.ended_at
    return attempt.started_at if attempt.running_at is None else None


def _with_epoch(status: TrainingRunStatus) -> list[Attempt]:
    """The attempts, the latest with the epochs that it is known to have done."""
    if not status.attempts or status.progress is None or not training_has_begun(status.progress):
        return status.attempts
    latest = status.attempts[-1]
    if latest.number != status.current_attempt or latest.epoch >= status.progress.epoch:
        return status.attempts
    return [*status.attempts[:-1], latest.model_copy(update={"epoch": status.progress.epoch})]


def _settled(status: TrainingRunStatus, phase: Phase) -> object:
    """Progress without an estimate where nothing runs, and whole where the run is complete."""
    progress = status.progress
    if progress is None:
        return None
    if phase is Phase.COMPLETE:
        return progress.model_copy(update={"percent": 100, "percent_display": "100%", "eta": None, "stage": "Finished"})
    if phase in (Phase.RUNNING, Phase.EXPORTING, Phase.UPLOADING):
        return progress
    return progress.model_copy(update={"eta": None}) if progress.eta is not None else progress
