"""A run and its surroundings, built sentence by sentence: `a_run().begun().pod_running().pod_exits(10)`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_api.report import ProgressReport, Stage
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import Attempt, Condition, ConditionType, TrainingRunStatus
from modelyard_operator.domain.decide import decide
from modelyard_operator.domain.decision import Action, CreateJob, Decision, DeleteJob, LimitJob
from modelyard_operator.domain.job import active_deadline_seconds
from modelyard_operator.domain.observed import (
    Hearing,
    Observed,
    ObservedJob,
    ObservedPod,
    ObservedReport,
    ObservedRun,
    Refusal,
    RunKey,
    Termination,
    Trouble,
)
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.kube.stored_run import StoredRun, store_run

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
RUN_UID = "aaaaaaaa-0000-4000-8000-000000000001"
SETTINGS = RunSettings(
    trainer_image="registry.example/trainer:1", intake_url="https://intake.modelyard.svc:8443", watching_since=NOON
)
SPEC: dict[str, Any] = {
    "task": "detection",
    "dataset": {"s3": {"uri": "s3://datasets/digits/v1/", "secretRef": {"name": "s3"}}},
    "model": {"architecture": "yolov5nu"},
    "training": {"epochs": 30, "batchSize": 32},
    "artifacts": {"s3": {"uri": "s3://models/", "secretRef": {"name": "s3"}}},
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with nested `changes` laid over it."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def a_run(name: str = "digits", **spec: Any) -> World:
    """A run that was applied at noon and that nobody has looked at yet."""
    run = ObservedRun(
        key=RunKey("vision", name),
        uid=RUN_UID,
        generation=1,
        resource_version="1",
        created_at=NOON,
        deleting=False,
        spec=TrainingRunSpec.model_validate(merged(SPEC, spec)),
        status=TrainingRunStatus(),
    )
    return World(run)


def last_words(reason: Reason, message: str = "as it were", **fields: Any) -> str:
    """A termination message of attempt 1."""
    words = TerminationMessage(reason=reason, message=message, **{"attempt": 1, **fields})
    return words.model_dump_json(by_alias=True, exclude_none=True)


def as_served(run: ObservedRun) -> dict[str, Any]:
    """The run as the API server shows it."""
    metadata = {
        "namespace": run.key.namespace,
        "name": run.key.name,
        "uid": run.uid,
        "generation": run.generation,
        "resourceVersion": run.resource_version,
        "creationTimestamp": run.created_at.isoformat(),
    }
    spec = run.spec.to_json_object() if run.spec is not None else {}
    status = run.status.to_json_object() if run.status != TrainingRunStatus() else {}
    return {"metadata": metadata, "spec": spec, "status": status}


@dataclass
class World:
    """Everything that `decide` sees, and a clock that only the test moves."""

    run: ObservedRun
    now: datetime = NOON
    jobs: dict[int, ObservedJob] = field(default_factory=dict)
    pods: dict[int, ObservedPod] = field(default_factory=dict)
    report: ObservedReport | None = None
    hearing: Hearing | None = None
    refusal: Refusal | None = None
    source: ObservedRun | None = None
    settings: RunSettings = SETTINGS

    # What is asked

    def decide(self) -> Decision:
        """The decision as things stand."""
        return decide(self.observed(), self.settings, self.now)

    def observed(self) -> Observed:
        jobs, pods = tuple(self.jobs.values()), tuple(self.pods.values())
        return Observed(self.run, jobs, pods, self.report, self.hearing, self.refusal, self.source)

    def looked_at(self) -> Self:
        """Carry the decision out: status first, then Jobs are created and begin to be deleted."""
        decision = self.decide()
        self.run = replace(self.run, status=decision.status)
        for action in decision.actions:
            self._carry_out(action)
        return self

    def stored(self) -> StoredRun:
        """The run as the cache keeps it."""
        return store_run(as_served(self.run))

    @property
    def status(self) -> TrainingRunStatus:
        return self.run.status

    def condition(self, kind: ConditionType) -> Condition:
        return next(condition for condition in self.status.conditions if condition.type is kind)

    # What happens

    def later(self, **duration: float) -> Self:
        self.now += timedelta(**duration)
        return self

    def edited(self, **changes: Any) -> Self:
        assert self.run.spec is not None
        spec = TrainingRunSpec.model_validate(merged(self.run.spec.to_json_object(), changes))
        self.run = replace(self.run, spec=spec, generation=self.run.generation + 1)
        return self

    def begun(self) -> Self:
        """The first attempt's Job exists, and the attempt stands in status."""
        return self.looked_at().looked_at()

    def being_deleted(self) -> Self:
        self.run = replace(self.run, deleting=True)
        return self

    def pod_created(self, **fields: Any) -> Self:
        number = self.attempt
        pod = ObservedPod(
            namespace="vision",
            name=f"{self.jobs[number].name}-abcde",
            uid=f"pod-{number}",
            resource_version="1",
            run_uid=self.run.uid,
            job_uid=self.jobs[number].uid,
            attempt=number,
            phase="Pending",
            created_at=self.now,
            node=None,
            unscheduled=None,
            disruption=None,
            failure=None,
            waiting=None,
            running_at=None,
            terminated=None,
            image_id=None,
            gone_by=None,
        )
        self.pods[number] = replace(pod, **fields)
        return self

    def pod_running(self) -> Self:
        """Its pod runs on a node, and that has been noted."""
        self.pod_created(
            phase="Running", node="gpu-1", running_at=self.now, image_id="registry.example/trainer@sha256:1"
        )
        return self.looked_at()

    def pod_changed(self, **fields: Any) -> Self:
        self.pods[self.attempt] = replace(self.pods[self.attempt], **fields)
        return self

    def pod_exits(self, code: int, message: str = "", reason: str = "") -> Self:
        ended = Termination(code, reason or ("Error" if code else "Completed"), message, self.now)
        return self.pod_changed(phase="Failed" if code else "Succeeded", terminated=ended)

    def pod_disrupted(self, reason: str = "PreemptionByScheduler") -> Self:
        return self.pod_changed(disruption=Trouble(reason, "a more important pod needs the node"))

    def pod_gone(self) -> Self:
        del self.pods[self.attempt]
        return self

    def job_refused(self, message: str, *, final: bool = False) -> Self:
        """The API server did not create the latest attempt's Job."""
        self.jobs.pop(self.attempt, None)
        self.refusal = Refusal(self.status.attempts[-1].job_name, message, final)
        return self

    def job_changed(self, **fields: Any) -> Self:
        self.jobs[self.attempt] = replace(self.jobs[self.attempt], **fields)
        return self

    def job_ends(self, outcome: str, reason: str = "", message: str = "") -> Self:
        return self.job_changed(outcome=outcome, outcome_at=self.now, outcome_reason=reason, outcome_message=message)

    def job_gone(self) -> Self:
        del self.jobs[self.attempt]
        return self

    def heard(self, stage: Stage = Stage.TRAINING, **fields: Any) -> Self:
        """The trainer has reported just now."""
        sequence = self.report.report.sequence + 1 if self.report else 1
        report = ProgressReport(sequence=sequence, attempt=self.attempt, stage=stage, **fields)
        self.report = ObservedReport(self.pods[self.attempt].uid, report, self.now, self.now)
        return self

    @property
    def attempt(self) -> int:
        return self.run.status.current_attempt

    def _carry_out(self, action: Action) -> None:
        match action:
            case CreateJob():
                self.jobs[action.attempt.number] = self._job(action.attempt)
            case DeleteJob():
                number = next(number for number, job in self.jobs.items() if job.uid == action.uid)
                self.jobs[number] = replace(self.jobs[number], deleting=True)
            case LimitJob():
                number = next(number for number, job in self.jobs.items() if job.name == action.name)
                field = {"activeDeadlineSeconds": "active_deadline_seconds", "ttlSecondsAfterFinished": "ttl_seconds"}
                self.jobs[number] = replace(self.jobs[number], **{field[action.limit]: action.seconds})  # type: ignore[arg-type]

    def _job(self, attempt: Attempt) -> ObservedJob:
        assert self.run.spec is not None
        return ObservedJob(
            namespace="vision",
            name=attempt.job_name,
            uid=f"job-{attempt.number}",
            resource_version="1",
            run_uid=self.run.uid,
            owner_uid=self.run.uid,
            attempt=attempt.number,
            generation=self.run.generation,
            created_at=self.now,
            suspended=self.run.spec.resources.queue is not None,
            deleting=False,
            outcome=None,
            outcome_at=None,
            outcome_reason="",
            outcome_message="",
            active_deadline_seconds=active_deadline_seconds(self.run.spec, self.run.status, attempt),
            ttl_seconds=None,
        )
