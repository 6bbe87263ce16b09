"""An attempt that has ended, and what that means for the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt, Phase

from modelyard_operator.domain.advice import ends_here, goes_on, recommendations
from modelyard_operator.domain.decision import DeleteJob
from modelyard_operator.domain.ending import Ending, Verdict, ending_of, stopped
from modelyard_operator.domain.pacing import counts, retry_delay
from modelyard_operator.domain.sighting import with_sightings
from modelyard_operator.domain.situation import Course, Situation
from modelyard_operator.domain.telling import attempt_with_report
from modelyard_operator.domain.terms import easier_terms

_LAST_WORDS_WITHIN = timedelta(seconds=10)
_BETWEEN_LOOKS = timedelta(seconds=1)


def wait_for_last_words(situation: Situation) -> Course | None:
    """A Job that has ended before its pod is seen to have: what the trainer said stands in the pod alone.

    What is listed may lag behind what is watched. After that it is taken for deleted.
    """
    attempt, job, pod = situation.open_attempt, situation.job, situation.pod
    if attempt is None or job is None or job.outcome is None or (pod is not None and pod.finished):
        return None
    left = (job.outcome_at or situation.now) + _LAST_WORDS_WITHIN - situation.now
    if left <= timedelta(0):
        return None
    return Course.unchanged(situation, requeue_after=min(left, _BETWEEN_LOOKS))


def note_the_end(situation: Situation) -> Course | None:
    """An attempt whose pod or Job has ended, whoever was there to see it."""
    attempt = situation.open_attempt
    if attempt is None:
        return None
    ending = ending_of(attempt, situation.job, situation.pod)
    return course_after(situation, attempt, ending) if ending is not None else None


def fail_the_refused(situation: Situation) -> Course | None:
    """A Job that breaks a rule of the API server: it is made from the spec, and the spec is fixed by now."""
    attempt, refusal = situation.open_attempt, situation.refusal
    if attempt is None or refusal is None or not refusal.final:
        return None
    return course_after(situation, attempt, Ending(Verdict.FAILED, Reason.SPEC_INVALID, refusal.message))


def give_up_the_unreachable(situation: Situation) -> Course | None:
    """A pod that should have ended long ago: its node is out of reach. What it may still write is never seen."""
    attempt, pod, job = situation.open_attempt, situation.pod, situation.job
    if attempt is None or pod is None or pod.gone_by is None:
        return None
    if situation.now < pod.gone_by + situation.settings.lost_pod_grace:
        return None
    message = (
        f"pod {pod.name} on node {pod.node} should have ended at {pod.gone_by:%Y-%m-%dT%H:%M:%SZ} and cannot be reached"
    )
    ending = stopped(attempt) or Ending(Verdict.INTERRUPTED, Reason.LOST, message)
    course = course_after(situation, attempt, ending)
    actions = (DeleteJob(job.name, job.uid, wait=False),) if job is not None else ()
    return replace(course, actions=actions)


def until_given_up(situation: Situation) -> timedelta | None:
    """How long a pod that is being ended is still waited for; None while nobody ends it."""
    pod = situation.pod
    if pod is None or pod.gone_by is None:
        return None
    return max(timedelta(0), pod.gone_by + situation.settings.lost_pod_grace - situation.now)


def course_after(situation: Situation, attempt: Attempt, ending: Ending) -> Course:
    """Where the run goes after one of its attempts ended so."""
    ended = _ended(situation, attempt, ending)
    match ending.verdict:
        case Verdict.COMPLETE:
            return Course(Phase.COMPLETE, ending.reason, ending.message, ended, ending)
        case Verdict.FAILED:
            return Course(Phase.FAILED, ending.reason, ending.message, ended, ending)
        case Verdict.SUSPENDED:
            return Course(Phase.SUSPENDED, ending.reason, ending.message, ended, ending)
        case Verdict.EASE:
            return _an_easier_try(situation, ended, ending)
        case Verdict.RETRY | Verdict.INTERRUPTED:
            return _another_try(situation, ended, ending)


def _ended(situation: Situation, attempt: Attempt, ending: Ending) -> Attempt:
    seen = with_sightings(attempt, situation.job, situation.pod)
    if situation.report is not None and situation.report.report.attempt == attempt.number:
        seen = attempt_with_report(seen, situation.report.report)
    told: dict[str, object] = {}
    if ending.last_words is not None:
        words = ending.last_words
        told["epoch"] = max(seen.epoch, words.epoch)
        if words.resumed_from_epoch is not None:
            told["resumed_from_epoch"] = words.resumed_from_epoch
    return seen.model_copy(
        update={
            "ended_at": (ending.ended_at or situation.now).replace(microsecond=0),
            "reason": str(ending.reason),
            "message": ending.message[:4096],
            "exit_code": ending.exit_code,
            **told,
        }
    )


def _an_easier_try(situation: Situation, ended: Attempt, ending: Ending) -> Course:
    """Asking for the same again would end the same way."""
    spec, attempts = situation.spec, _attempts(situation, ended)
    terms = easier_terms(spec, attempts)
    if terms is not None:
        return _another_try(situation, ended, ending, goes_on(spec, ended, terms), recommendations(spec, ended))
    message = ends_here(spec, ended)
    if ended.reason == Reason.HOST_OUT_OF_MEMORY and ended.epoch > (ended.resumed_from_epoch or 0):
        further = f"it came further than the attempt before, so attempt {ended.number + 1} tries the same again"
        return _another_try(situation, ended, ending, f"{message}; {further}")
    return Course(Phase.FAILED, ending.reason, message, ended, ending)


def _another_try(situation: Situation, ended: Attempt, ending: Ending, message: str = "", advice: str = "") -> Course:
    allowed, used, attempts = situation.spec.recovery.max_retries, situation.status.retries, _attempts(situation, ended)
    what_happened = f"attempt {ended.number} ended with {ending.reason}: {ending.message}"
    if counts(attempts) and used >= allowed:
        used_up = f"{what_happened}; all {allowed} retries of recovery.maxRetries are used"
        words = f"{used_up}; {advice}" if advice else used_up
        return Course(Phase.FAILED, Reason.RETRIES_EXHAUSTED, words, ended, ending)
    retries = used + 1 if counts(attempts) else used
    wait = retry_delay(attempts, retries, situation.settings)
    return Course(Phase.PENDING, "Retrying", message or what_happened, ended, ending, requeue_after=wait)


def _attempts(situation: Situation, ended: Attempt) -> list[Attempt]:
    """All of them, the latest as it ended."""
    return [*situation.status.attempts[:-1], ended]
