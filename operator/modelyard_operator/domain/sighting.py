"""What is noted of an attempt's Job and pod once they are seen."""

from __future__ import annotations

from modelyard_api.status import Attempt

from modelyard_operator.domain.observed import ObservedJob, ObservedPod


def with_sightings(attempt: Attempt, job: ObservedJob | None, pod: ObservedPod | None) -> Attempt:
    """`attempt` with what its Job and its pod tell; what was noted before is never taken back."""
    news: dict[str, object] = {}
    if job is not None:
        news["job_uid"] = job.uid
    if pod is not None:
        news["pod"] = pod.name
        news["node"] = pod.node or attempt.node
        news["image_id"] = pod.image_id or attempt.image_id
        news["running_at"] = pod.running_at or attempt.running_at
    changed = {name: value for name, value in news.items() if getattr(attempt, name) != value}
    return attempt.model_copy(update=changed) if changed else attempt
