"""From a pod's identity to the run that it may speak for: Pod, Job, run, current attempt."""

from __future__ import annotations

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.intake.tokens import PodIdentity
from modelyard_operator.kube.parse import ParseError
from modelyard_operator.reconcile.cache import Cache


class NotYoursError(Exception):
    """The pod has no run, or not this attempt of it."""


def run_of(pod: PodIdentity, attempt: int, cache: Cache) -> RunKey:
    """The run whose current attempt `attempt` is this pod's.

    Labels prove nothing, since whoever may create pods can write them: only the chain of controllers counts.

    Raises:
        NotYoursError: the chain breaks somewhere.
    """
    seen = cache.pods.get(pod.uid)
    if seen is None or seen.namespace != pod.namespace or seen.job_uid is None:
        raise NotYoursError(f"pod {pod.namespace}/{pod.name} belongs to no training run")
    job = next((job for job in cache.jobs_of(seen.run_uid) if job.uid == seen.job_uid), None)
    if job is None or job.owner_uid is None:
        raise NotYoursError(f"the Job of pod {pod.namespace}/{pod.name} belongs to no training run")
    key = cache.key_of(job.owner_uid)
    if key is None or key.namespace != pod.namespace:
        raise NotYoursError(f"the training run of pod {pod.namespace}/{pod.name} is gone")
    try:
        status = cache.runs[key].observed().status
    except ParseError as error:
        raise NotYoursError(str(error)) from error
    current = status.attempts[-1] if status.attempts else None
    if current is None or current.job_name != job.name or current.number != attempt:
        raise NotYoursError(f"attempt {attempt} is not the current attempt of run {key}, or not this pod's")
    if current.ended_at is not None:
        raise NotYoursError(f"attempt {attempt} of run {key} has ended")
    return key
