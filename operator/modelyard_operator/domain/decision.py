"""What is to be done about a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from modelyard_api.location import S3Location
from modelyard_api.status import Attempt, TrainingRunStatus


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of an attempt; one that is there already is adopted if it is the run's own."""

    attempt: Attempt
    source: S3Location | None = None
    """Where the run that `spec.model.from.run` names has published its results."""


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job. With `wait`, it stays visible until its pod has ended, so that the pod's last word is heard."""

    name: str
    uid: str
    wait: bool = True


@dataclass(frozen=True, slots=True)
class LimitJob:
    """Set a time limit of a Job that Kubernetes itself keeps: it holds while no operator runs."""

    name: str
    limit: Literal["activeDeadlineSeconds", "ttlSecondsAfterFinished"]
    """From the start of its pod to its failure, or from its end to its deletion."""
    seconds: int | None


Action = CreateJob | DeleteJob | LimitJob


@dataclass(frozen=True, slots=True)
class Decision:
    """The status that should stand, then the actions to take once it does, then when to look again if nothing happens.

    The order matters: an outcome stands in status before its Job may expire, and an attempt before its Job exists,
    unless it is the first of a new run (`policies.waiting.create_the_first_job`), whose status is then left as it is.
    """

    status: TrainingRunStatus
    actions: tuple[Action, ...] = ()
    requeue_after: timedelta | None = None
