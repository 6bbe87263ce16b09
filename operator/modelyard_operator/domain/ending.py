"""How an attempt ended, told from what its pod, its Job and its own last words leave behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason, TerminationMessage
from modelyard_api.status import Attempt
from pydantic import ValidationError

from modelyard_operator.domain.observed import ObservedJob, ObservedPod, Termination

_KILLED, _TERMINATED = 137, 143
_EXIT_CODE_IN_JOB = re.compile(r"failed with exit code (\d+)")
_DISRUPTION_IN_JOB = "has condition DisruptionTarget"
_LONGEST_MESSAGE = 1024
_KILLED_BY_NOBODY = (
    "something killed it, and nobody says why; if it was the kernel, for memory, whose word the container runtime "
    "missed, more of spec.resources.memory would help"
)
"""containerd learns of a kill for memory by an event of its own, which may come after that of the end, or never."""


class Verdict(Enum):
    """What an ending means for the run."""

    COMPLETE = "the run has what it was for"
    FAILED = "trying again would end the same way"
    RETRY = "may pass: try again, as often as maxRetries allows"
    EASE = "asked for too much: try again with less, as long as there is less to ask for"
    INTERRUPTED = "nobody's fault: try again, free of charge if there was progress"
    SUSPENDED = "as was asked for"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt."""

    verdict: Verdict
    reason: str
    message: str
    exit_code: int | None = None
    ended_at: datetime | None = None
    last_words: TerminationMessage | None = None


_VERDICTS = {
    ExitCode.SUCCESS: Verdict.COMPLETE,
    ExitCode.USER_ERROR: Verdict.FAILED,
    ExitCode.OUT_OF_MEMORY: Verdict.EASE,
    ExitCode.INTERRUPTED: Verdict.INTERRUPTED,
    ExitCode.STORE_UNREACHABLE: Verdict.RETRY,
    ExitCode.DIVERGED: Verdict.EASE,
    ExitCode.EXPORT_FAILED: Verdict.FAILED,
}
_REASONS = {code: reason for reason, code in reversed(EXIT_CODES.items())} | {ExitCode.USER_ERROR: Reason.SPEC_INVALID}

_OWN_WORD = {
    Reason.SUSPENDED: (Verdict.SUSPENDED, "the run was suspended"),
    Reason.STALLED: (Verdict.RETRY, "there was no sign of progress for longer than recovery.stallTimeout"),
    Reason.START_DEADLINE_EXCEEDED: (Verdict.FAILED, "the pod did not start within recovery.startDeadline"),
    Reason.ACTIVE_DEADLINE_EXCEEDED: (Verdict.FAILED, "the run took longer than recovery.activeDeadline"),
}


def ending_of(attempt: Attempt, job: ObservedJob | None, pod: ObservedPod | None) -> Ending | None:
    """How `attempt` ended, or None while it has not.

    The pod knows most; a Job whose pod is gone still names exit code or disruption in its condition. A pod whose Job is
    gone is about to be deleted: it saves its state, and tells so. What the trainer achieved counts before why it was
    ended: a success under a draining node is a success.
    """
    if pod is not None and pod.finished:
        return _ending_of_pod(attempt, pod, job)
    if job is not None and job.outcome is not None:
        return _ending_of_job(attempt, job)
    if job is None and attempt.job_uid is not None:
        return stopped(attempt) or (_lost(attempt) if pod is None else None)
    return None


def _lost(attempt: Attempt) -> Ending:
    message = f"Job {attempt.job_name} is gone, and nothing tells how it ended"
    return Ending(Verdict.INTERRUPTED, Reason.LOST, message)


def _ending_of_pod(attempt: Attempt, pod: ObservedPod, job: ObservedJob | None) -> Ending:
    termination = pod.terminated
    last_words = read_last_words(termination, attempt.number)
    if termination is not None:
        decided = _ending_of_exit(termination, last_words, with_interruptions=False)
        if decided is not None:
            return decided
    ending = _ending_from_outside(attempt, pod, job)
    if ending is not None:
        return _with_details(ending, termination, last_words)
    if termination is None:
        message = pod.failure.message if pod.failure is not None else f"pod {pod.name} ended without having run"
        return Ending(Verdict.RETRY, Reason.INTERNAL_ERROR, message)
    return _ending_of_kill(termination, last_words, pod) or _unforeseen(termination, last_words)


def _ending_from_outside(attempt: Attempt, pod: ObservedPod, job: ObservedJob | None) -> Ending | None:
    """Who ended the pod: this operator, its Job's deadline, or Kubernetes."""
    own = stopped(attempt)
    if own is not None:
        return own
    if job is not None and job.outcome_reason == "DeadlineExceeded":
        return _deadline(job)
    if pod.disruption is not None:
        message = f"{pod.disruption.reason}: {pod.disruption.message}"
        return Ending(Verdict.INTERRUPTED, Reason.INTERRUPTED, message)
    if pod.failure is not None and pod.failure.reason == "Evicted":
        return Ending(Verdict.RETRY, Reason.EVICTED, pod.failure.message)
    return None


def _ending_of_exit(
    termination: Termination, last_words: TerminationMessage | None, *, with_interruptions: bool
) -> Ending | None:
    """The ending that a code of the contract stands for; an interruption is left to what explains it better."""
    try:
        code = ExitCode(termination.exit_code)
    except ValueError:
        return None
    if code is ExitCode.INTERRUPTED and not with_interruptions:
        return None
    reason = _REASONS[code]
    if last_words is not None and EXIT_CODES.get(last_words.reason) is code:
        reason = last_words.reason
    message = last_words.message if last_words is not None else _raw_words(termination)
    return Ending(
        _VERDICTS[code],
        reason,
        message or f"the trainer ended with exit code {code.value} and left no message",
        code.value,
        termination.finished_at,
        last_words,
    )


def _ending_of_kill(termination: Termination, last_words: TerminationMessage | None, pod: ObservedPod) -> Ending | None:
    interrupted = _ending_of_exit(termination, last_words, with_interruptions=True)
    if interrupted is not None:
        return interrupted
    named = last_words if last_words is not None and last_words.reason is Reason.HOST_OUT_OF_MEMORY else None
    if termination.reason == "OOMKilled" or named is not None:
        message = "the container needed more memory than spec.resources.memory allows and was killed"
        ending = Ending(Verdict.EASE, Reason.HOST_OUT_OF_MEMORY, named.message if named is not None else message)
    elif termination.exit_code in (_KILLED, _TERMINATED) and pod.gone_by is not None:
        ending = Ending(Verdict.INTERRUPTED, Reason.INTERRUPTED, f"pod {pod.name} was deleted")
    else:
        return None
    return _with_details(ending, termination, last_words)


def _unforeseen(termination: Termination, last_words: TerminationMessage | None) -> Ending:
    words = last_words.message if last_words is not None else _raw_words(termination)
    if not words and termination.exit_code == _KILLED:
        words = _KILLED_BY_NOBODY
    message = f"the trainer ended with exit code {termination.exit_code}" + (f": {words}" if words else "")
    return _with_details(Ending(Verdict.RETRY, Reason.INTERNAL_ERROR, message), termination, last_words)


def _ending_of_job(attempt: Attempt, job: ObservedJob) -> Ending:
    """What a Job's condition still tells when its pod is gone."""
    if job.outcome == "Complete":
        message = f"Job {job.name} is complete; its pod is gone, and with it what it had to say"
        return Ending(Verdict.COMPLETE, Reason.COMPLETED, message, ExitCode.SUCCESS, job.outcome_at)
    code = _EXIT_CODE_IN_JOB.search(job.outcome_message)
    if code is not None:
        termination = Termination(int(code.group(1)), "", job.outcome_message, job.outcome_at)
        decided = _ending_of_exit(termination, None, with_interruptions=False)
        if decided is not None:
            return decided
    own = stopped(attempt)
    if own is not None:
        return own
    if job.outcome_reason == "DeadlineExceeded":
        return _deadline(job)
    if _DISRUPTION_IN_JOB in job.outcome_message or (code is not None and int(code.group(1)) == ExitCode.INTERRUPTED):
        return Ending(Verdict.INTERRUPTED, Reason.INTERRUPTED, job.outcome_message, ended_at=job.outcome_at)
    message = f"Job {job.name} failed ({job.outcome_reason}: {job.outcome_message}), and its pod is gone"
    return Ending(Verdict.RETRY, Reason.LOST, message, ended_at=job.outcome_at)


def _deadline(job: ObservedJob) -> Ending:
    verdict, message = _OWN_WORD[Reason.ACTIVE_DEADLINE_EXCEEDED]
    return Ending(verdict, Reason.ACTIVE_DEADLINE_EXCEEDED, message, ended_at=job.outcome_at)


def stopped(attempt: Attempt) -> Ending | None:
    """The ending that the operator itself has brought about and noted in status beforehand."""
    for reason, (verdict, message) in _OWN_WORD.items():
        if attempt.reason == reason:
            return Ending(verdict, reason, message)
    return None


def _with_details(ending: Ending, termination: Termination | None, last_words: TerminationMessage | None) -> Ending:
    return Ending(
        ending.verdict,
        ending.reason,
        ending.message,
        termination.exit_code if termination is not None else None,
        termination.finished_at if termination is not None else None,
        last_words,
    )


def read_last_words(termination: Termination | None, attempt: int) -> TerminationMessage | None:
    """The trainer's termination message, or None where it left none, or not for this attempt."""
    if termination is None or not termination.message.startswith("{"):
        return None
    try:
        words = TerminationMessage.model_validate_json(termination.message, extra="ignore")
    except ValidationError:
        return None
    return words if words.attempt == attempt else None


def _raw_words(termination: Termination) -> str:
    """What a container that does not keep the contract left behind, such as the end of its log."""
    return termination.message.strip()[-_LONGEST_MESSAGE:]
