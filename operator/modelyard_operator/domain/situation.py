"""One run as the policies look at it, and the course that they choose for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from modelyard_api.base import seconds
from modelyard_api.location import S3Location
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import Attempt, Phase, TrainingRunStatus

from modelyard_operator.domain.clock import Clock
from modelyard_operator.domain.decision import Action
from modelyard_operator.domain.ending import Ending
from modelyard_operator.domain.observed import Observed, ObservedJob, ObservedPod, ObservedReport, Refusal
from modelyard_operator.domain.settings import RunSettings


@dataclass(frozen=True)
class Situation:
    """What is known about a run, and the latest attempt's part of it."""

    observed: Observed
    settings: RunSettings
    now: datetime

    @property
    def status(self) -> TrainingRunStatus:
        """The status that stands now."""
        return self.observed.run.status

    @property
    def spec(self) -> TrainingRunSpec:
        """The spec; the first policy sees to it that there is one."""
        spec = self.observed.run.spec
        if spec is None:
            raise ValueError(f"the spec of {self.observed.run.key} is not readable: {self.observed.run.spec_error}")
        return spec

    @property
    def latest(self) -> Attempt | None:
        """The latest attempt, ended or not."""
        return self.status.attempts[-1] if self.status.attempts else None

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that has not ended."""
        latest = self.latest
        return latest if latest is not None and latest.ended_at is None else None

    @cached_property
    def job(self) -> ObservedJob | None:
        """The Job of the latest attempt, if it is the run's own."""
        job = self.observed.job(self.latest.job_name) if self.latest else None
        return job if job is not None and job.owner_uid == self.observed.run.uid else None

    @cached_property
    def pod(self) -> ObservedPod | None:
        """The youngest pod of that Job: labels alone prove nothing, a controller does."""
        latest = self.latest
        if latest is None:
            return None
        owner = self.job.uid if self.job is not None else latest.job_uid
        pods = (pod for pod in self.observed.pods if owner is not None and pod.job_uid == owner)
        return max(pods, key=lambda pod: (pod.created_at, pod.name), default=None)

    @property
    def report(self) -> ObservedReport | None:
        """The latest report of that pod."""
        report, pod = self.observed.report, self.pod
        return report if report is not None and pod is not None and report.pod_uid == pod.uid else None

    @property
    def source(self) -> S3Location | None:
        """Where the run that `spec.model.from.run` names has published its results, and with which Secret."""
        run = self.observed.source
        if run is None or run.spec is None or run.spec.artifacts.s3 is None or run.status.artifacts_uri is None:
            return None
        return run.spec.artifacts.s3.model_copy(update={"uri": run.status.artifacts_uri})

    @property
    def refusal(self) -> Refusal | None:
        """Why the Job of the latest attempt could not be created; None once there is one."""
        latest = self.latest
        return self.refusal_of(latest.job_name) if latest is not None and self.job is None else None

    def refusal_of(self, job_name: str) -> Refusal | None:
        """Why the Job of that name could not be created when it was last asked for."""
        refusal = self.observed.refusal
        return refusal if refusal is not None and refusal.job_name == job_name else None

    @property
    def clock(self) -> Clock:
        """The time that counts for `recovery.activeDeadline`."""
        return Clock.of(self.status)

    @property
    def active_time_left(self) -> timedelta | None:
        """What is left of `recovery.activeDeadline`: None without one, never below zero."""
        limit = self.spec.recovery.active_deadline
        return None if limit is None else max(timedelta(0), timedelta(seconds=seconds(limit)) - self.clock.at(self.now))

    def remaining(self, duration: str | None, since: datetime) -> timedelta | None:
        """What is left of `duration` since a moment: None without a limit, never below zero."""
        if duration is None:
            return None
        return max(timedelta(0), since + timedelta(seconds=seconds(duration)) - self.now)


@dataclass(frozen=True)
class Course:
    """What a policy wants: where the run is said to be, and what is done about it."""

    phase: Phase
    reason: str
    message: str = ""
    attempt: Attempt | None = None
    """The latest attempt as it should stand, or the next one."""
    ending: Ending | None = None
    """Set when that attempt has just ended."""
    actions: tuple[Action, ...] = ()
    requeue_after: timedelta | None = None
    as_it_stands: bool = False
    """The status is left as it is."""

    @classmethod
    def unchanged(cls, situation: Situation, **fields: Any) -> Course:
        """The course that leaves the status as it is, but for `fields`."""
        status = situation.status
        told = status.reason or status.phase, status.message or ""
        return cls(status.phase, *told, **{"as_it_stands": True, **fields})
