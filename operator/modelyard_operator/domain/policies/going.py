"""An attempt in flight that is as it should be, or at least may become so."""

from __future__ import annotations

from datetime import timedelta

from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.status import Attempt, Phase

from modelyard_operator.domain.advice import begins
from modelyard_operator.domain.clock import QUEUED, stands_still
from modelyard_operator.domain.decision import Action, CreateJob, LimitJob
from modelyard_operator.domain.job import active_deadline_seconds
from modelyard_operator.domain.observed import ObservedJob, ObservedPod
from modelyard_operator.domain.policies.ended import until_given_up
from modelyard_operator.domain.policies.stopping import last_progress, start_time_left
from modelyard_operator.domain.sighting import with_sightings
from modelyard_operator.domain.situation import Course, Situation

USUAL_STARTS = ("JobCreated", QUEUED, "Scheduling", "ContainerStarting")
"""Reasons that every attempt passes through: nothing to wake anybody for."""
_USUAL_WAITS = ("", "ContainerCreating", "PodInitializing")
_RUNNING_PHASES = (Phase.RUNNING, Phase.EXPORTING, Phase.UPLOADING)
_PHASES = {
    Stage.EXPORTING: Phase.EXPORTING,
    Stage.VERIFYING: Phase.EXPORTING,
    Stage.PUBLISHING: Phase.UPLOADING,
    Stage.FINISHED: Phase.UPLOADING,
}


def follow_the_attempt(situation: Situation) -> Course | None:
    """Say where the attempt is, and see to it that its Job exists."""
    attempt = situation.open_attempt
    if attempt is None:
        return None
    seen = with_sightings(attempt, situation.job, situation.pod)
    phase, reason, message = _whereabouts(situation, seen)
    actions = _for_its_job(situation, seen)
    # Once the clock has stopped, the Job is to have what is left of the time: that is another look.
    stops = situation.clock.since is not None and stands_still(phase, reason)
    wait = timedelta(0) if stops else _next_deadline(situation, seen)
    return Course(phase, reason, message, seen, actions=actions, requeue_after=wait)


def _for_its_job(situation: Situation, attempt: Attempt) -> tuple[Action, ...]:
    if situation.job is not None:
        return _in_time(situation, attempt, situation.job)
    return (CreateJob(attempt, situation.source),) if attempt.job_uid is None else ()


def _in_time(situation: Situation, attempt: Attempt, job: ObservedJob) -> tuple[Action, ...]:
    """`recovery.activeDeadline` may be changed while the Job is at work."""
    wanted = active_deadline_seconds(situation.spec, situation.status, attempt)
    if job.active_deadline_seconds == wanted or job.deleting:
        return ()
    return (LimitJob(job.name, "activeDeadlineSeconds", wanted),)


def _whereabouts(situation: Situation, attempt: Attempt) -> tuple[Phase, str, str]:
    job, pod = situation.job, situation.pod
    if pod is None:
        return _without_pod(situation, attempt)
    if pod.running_at is None:
        return Phase.STARTING, *_why_not_running(pod)
    if job is None and attempt.job_uid is not None:
        return situation.status.phase, "Stopping", f"Job {attempt.job_name} is gone, and pod {pod.name} ends with it"
    if job is not None and job.deleting:
        return situation.status.phase, "Stopping", f"Job {job.name} is being deleted"
    return _running(situation, pod.name)


def _why_not_running(pod: ObservedPod) -> tuple[str, str]:
    if pod.unscheduled is not None:
        return pod.unscheduled.reason, pod.unscheduled.message
    if pod.waiting is not None and pod.waiting.reason not in _USUAL_WAITS:
        return pod.waiting.reason, pod.waiting.message or f"pod {pod.name} waits"
    if pod.node is None:
        return "Scheduling", f"pod {pod.name} waits for a node"
    return "ContainerStarting", f"pod {pod.name} is being started on node {pod.node}"


def _without_pod(situation: Situation, attempt: Attempt) -> tuple[Phase, str, str]:
    job = situation.job
    if job is not None and job.suspended:
        queue = situation.spec.resources.queue
        where = f"in queue {queue}" if queue else "until its Job is resumed"
        return Phase.PENDING, QUEUED, f"Job {job.name} waits {where}"
    if situation.refusal is not None:
        return Phase.STARTING, Reason.JOB_REFUSED, situation.refusal.message
    if job is None and situation.status.reason == Reason.JOB_REFUSED:
        # After a restart of the operator the Job is just being asked for again: until then what was known stays.
        return Phase.STARTING, Reason.JOB_REFUSED, situation.status.message or ""
    return Phase.STARTING, "JobCreated", begins(situation.spec, attempt)


def _running(situation: Situation, pod: str) -> tuple[Phase, str, str]:
    if situation.report is None:
        # After a restart of the operator the next report is seconds away: what was known stays.
        known = situation.status
        if known.phase in _RUNNING_PHASES:
            return known.phase, known.reason or known.phase, known.message or ""
        return Phase.RUNNING, "Running", f"pod {pod} runs; its trainer was not heard yet"
    report = situation.report.report
    phase = _PHASES.get(report.stage, Phase.RUNNING)
    return phase, str(report.stage), report.detail or f"pod {pod} runs"


def _next_deadline(situation: Situation, attempt: Attempt) -> timedelta | None:
    """When a time limit of this attempt runs out, should nothing happen before."""
    recovery = situation.spec.recovery
    limits = [situation.active_time_left if situation.clock.since is not None else None]
    if attempt.running_at is None:
        limits.append(start_time_left(situation, attempt))
    progressed = last_progress(situation)
    if progressed is not None:
        limits.append(situation.remaining(recovery.stall_timeout, progressed))
    limits.append(until_given_up(situation))
    return min((limit for limit in limits if limit is not None), default=None)
