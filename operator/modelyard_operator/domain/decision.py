"""What is to be done about a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from modelyard_api.status import TrainingRunStatus


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of the attempt `attempt`; one that is there already is adopted if it is the run's own."""

    attempt: int


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job. With `wait`, it stays visible until its pod has ended, so that the pod's last word is heard."""

    name: str
    uid: str
    wait: bool = True


@dataclass(frozen=True, slots=True)
class ExpireJob:
    """Let Kubernetes delete a finished Job and its pod `seconds` after its end."""

    name: str
    seconds: int


Action = CreateJob | DeleteJob | ExpireJob


@dataclass(frozen=True, slots=True)
class Decision:
    """The status that should stand, then the actions to take once it does, then when to look again if nothing happens.

    The order matters: an attempt stands in status before its Job exists, an outcome before its Job may expire.
    """

    status: TrainingRunStatus
    actions: tuple[Action, ...] = ()
    requeue_after: timedelta | None = None
