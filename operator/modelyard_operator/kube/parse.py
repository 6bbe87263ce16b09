"""Objects of the API as `domain` sees them. What nobody decides by is dropped here, so that the cache stays small."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from modelyard_operator.domain.names import ATTEMPT_LABEL, CONTAINER, GENERATION_ANNOTATION, RUN_UID_LABEL
from modelyard_operator.domain.observed import ObservedJob, ObservedPod, Termination, Trouble

Raw = Mapping[str, Any]


class ParseError(Exception):
    """An object that is not what its labels promise."""


def parse_time(text: str | None) -> datetime | None:
    """A Kubernetes time stamp, always in UTC."""
    return datetime.fromisoformat(text) if text else None


def parse_job(raw: Raw) -> ObservedJob:
    """A Job of a run.

    Raises:
        ParseError: its labels do not name run and attempt.
    """
    metadata, status = raw["metadata"], raw.get("status") or {}
    run_uid, attempt = _labels(metadata)
    outcome, condition = _job_outcome(status)
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        run_uid=run_uid,
        owner_uid=_controller(metadata),
        attempt=attempt,
        generation=_generation(metadata),
        created_at=_required_time(metadata["creationTimestamp"]),
        suspended=bool(raw["spec"].get("suspend")),
        deleting="deletionTimestamp" in metadata,
        outcome=outcome,
        outcome_at=parse_time(condition.get("lastTransitionTime")),
        outcome_reason=condition.get("reason", ""),
        outcome_message=condition.get("message", ""),
        active_deadline_seconds=raw["spec"].get("activeDeadlineSeconds"),
        ttl_seconds=raw["spec"].get("ttlSecondsAfterFinished"),
    )


def _generation(metadata: Raw) -> int | None:
    text = (metadata.get("annotations") or {}).get(GENERATION_ANNOTATION, "")
    return int(text) if text.isdecimal() else None


def _job_outcome(status: Raw) -> tuple[Literal["Complete", "Failed"] | None, Raw]:
    for condition in status.get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Complete":
            return "Complete", condition
        if condition["status"] == "True" and condition["type"] == "Failed":
            return "Failed", condition
    return None, {}


def parse_pod(raw: Raw) -> ObservedPod:
    """A pod of a run.

    Raises:
        ParseError: its labels do not name run and attempt.
    """
    metadata, status = raw["metadata"], raw.get("status") or {}
    run_uid, attempt = _labels(metadata)
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    container = _container(status)
    state = container.get("state") or {}
    running, terminated = state.get("running"), state.get("terminated")
    started = (running or terminated or {}).get("startedAt")
    return ObservedPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        run_uid=run_uid,
        job_uid=_controller(metadata),
        attempt=attempt,
        phase=status.get("phase", "Pending"),
        created_at=_required_time(metadata["creationTimestamp"]),
        node=(raw.get("spec") or {}).get("nodeName"),
        unscheduled=_trouble(conditions.get("PodScheduled"), when="False"),
        disruption=_trouble(conditions.get("DisruptionTarget"), when="True"),
        failure=_said(status.get("reason"), status.get("message")),
        waiting=_said((state.get("waiting") or {}).get("reason"), (state.get("waiting") or {}).get("message")),
        running_at=parse_time(started),
        terminated=_termination(terminated),
        image_id=container.get("imageID") or None,
        gone_by=_gone_by(metadata),
    )


def _container(status: Raw) -> Raw:
    for container in status.get("containerStatuses") or ():
        if container["name"] == CONTAINER:
            found: Raw = container
            return found
    return {}


def _trouble(condition: Raw | None, *, when: str) -> Trouble | None:
    if condition is None or condition["status"] != when:
        return None
    return Trouble(condition.get("reason") or condition["type"], condition.get("message", ""))


def _said(reason: str | None, message: str | None) -> Trouble | None:
    return Trouble(reason or "", message or "") if reason or message else None


def _termination(terminated: Raw | None) -> Termination | None:
    if terminated is None:
        return None
    return Termination(
        exit_code=int(terminated["exitCode"]),
        reason=terminated.get("reason", ""),
        message=terminated.get("message", ""),
        finished_at=parse_time(terminated.get("finishedAt")),
    )


def _gone_by(metadata: Raw) -> datetime | None:
    """`deletionTimestamp`: the API server has added the grace period to it already."""
    return parse_time(metadata.get("deletionTimestamp"))


def _labels(metadata: Raw) -> tuple[str, int]:
    labels = metadata.get("labels") or {}
    try:
        return labels[RUN_UID_LABEL], int(labels[ATTEMPT_LABEL])
    except (KeyError, ValueError) as error:
        place = f"{metadata.get('namespace')}/{metadata.get('name')}"
        raise ParseError(f"{place} has no usable labels {RUN_UID_LABEL} and {ATTEMPT_LABEL}") from error


def _controller(metadata: Raw) -> str | None:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def _required_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
