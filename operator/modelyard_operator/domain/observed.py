"""What was seen of a run, its Jobs, its pod and its trainer: small, frozen, and free of what nobody decides by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from modelyard_api.report import ProgressReport
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import TrainingRunStatus


@dataclass(frozen=True, slots=True)
class RunKey:
    """Where a run is found."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A TrainingRun as it was last read."""

    key: RunKey
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    deleting: bool
    spec: TrainingRunSpec | None
    """None where this operator cannot read it; `spec_error` then says why."""
    status: TrainingRunStatus
    spec_error: str = ""


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job that carries a run's UID in its labels."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    run_uid: str
    owner_uid: str | None
    attempt: int
    generation: int | None
    """Generation of the run's spec that it was made from, if it says so."""
    created_at: datetime
    suspended: bool
    deleting: bool
    outcome: Literal["Complete", "Failed"] | None
    outcome_at: datetime | None
    outcome_reason: str
    outcome_message: str
    active_deadline_seconds: int | None
    ttl_seconds: int | None


@dataclass(frozen=True, slots=True)
class Termination:
    """How the trainer's container ended."""

    exit_code: int
    reason: str
    """The runtime's word, such as OOMKilled."""
    message: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not as it should be, in Kubernetes' own words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A pod that carries a run's UID in its labels."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    run_uid: str
    job_uid: str | None
    attempt: int
    phase: str
    created_at: datetime
    node: str | None
    unscheduled: Trouble | None
    """Why no node was found for it."""
    disruption: Trouble | None
    """Why Kubernetes ends it: preemption, eviction, a drained or lost node."""
    failure: Trouble | None
    """The pod's own reason, such as Evicted."""
    waiting: Trouble | None
    """Why its container does not start."""
    running_at: datetime | None
    terminated: Termination | None
    image_id: str | None
    gone_by: datetime | None
    """When it should have ended, its grace period included; None while nobody ends it."""

    @property
    def finished(self) -> bool:
        """Whether it has ended for good, whatever the way."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """The trainer's latest report to this operator process."""

    pod_uid: str
    report: ProgressReport
    received_at: datetime
    progressed_at: datetime
    """When a report last differed from the one before it in what it says about progress."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Whether this process hears trainers at all: what tells one that is silent from an intake that is out of reach."""

    last: datetime | None
    """When it last heard any."""
    since: datetime | None
    """Since when it has heard one after the other, with no silence of all in between."""
    others: bool
    """Whether pods of other runs are at work."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the API server did not create a Job when this process last asked for it."""

    job_name: str
    """Names run and attempt: a refusal says nothing about any other."""
    message: str
    final: bool
    """Whether asking again would be answered the same for ever."""


@dataclass(frozen=True, slots=True)
class Observed:
    """All that is known about one run."""

    run: ObservedRun
    jobs: tuple[ObservedJob, ...] = ()
    pods: tuple[ObservedPod, ...] = ()
    report: ObservedReport | None = None
    hearing: Hearing | None = None
    refusal: Refusal | None = None
    source: ObservedRun | None = None
    """The run that `spec.model.from.run` names, if it is there."""

    def job(self, name: str) -> ObservedJob | None:
        """The Job of that name, if it is there."""
        return next((job for job in self.jobs if job.name == name), None)
