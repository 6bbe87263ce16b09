"""Reports of every kind: nothing crashes, and nothing is believed that should not be."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from hypothesis import strategies as st
from modelyard_api.report import MAX_REPORT_BYTES, ProgressReport, Stage
from modelyard_api.schema import training_run_schema
from modelyard_api.status import Phase, TrainingRunStatus
from modelyard_operator.domain.observed import ObservedReport
from modelyard_operator.intake.matching import NotYoursError, run_of
from modelyard_operator.intake.reading import NotAReportError, read_report
from modelyard_operator.intake.tokens import PodIdentity
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.reports import Reception, ReportStore

from tests.fuzz.drawing import altered, each, mangled, share
from tests.fuzz.openapi import violations
from tests.unit.operator_.world import World, a_run

STATUS = training_run_schema()["properties"]["status"]
AT_WORK = (Phase.RUNNING, Phase.EXPORTING, Phase.UPLOADING)
A_CHECKPOINT = {"epoch": 2, "step": 0, "uri": "s3://models/c/2", "takenAt": "2026-11-21T12:00:00Z"}
A_REPORT = {
    "sequence": 7,
    "attempt": 1,
    "stage": "Training",
    "detail": "epoch 3/30, batch 1/8",
    "epoch": 3,
    "epochs": 30,
    "percent": 10.5,
    "elapsedSeconds": 61.5,
    "etaSeconds": 600.25,
    "batchSize": 32,
    "metrics": [{"name": "mAP50", "value": 0.5}, {"name": "recall", "value": 0.25}],
    "best": {"epoch": 2, "metric": "mAP50", "value": 0.5},
    "dataset": {"images": 9, "trainingImages": 7, "validationImages": 2, "classes": 2, "objects": 30, "digest": "d"},
    "exports": [
        {"name": "model.onnx", "metric": "mAP50 0.5", "drop": "-0.01", "latency": "4 ms on cpu"},
        {"name": "model.engine", "skipped": "TensorRT is not in this image"},
    ],
    "artifacts": [{"name": "model.onnx", "uri": "s3://models/m", "sha256": "0" * 64, "bytes": 5}],
    "primaryArtifact": "model.onnx",
    "artifactsUri": "s3://models/a",
    "resumedFromEpoch": 1,
    "checkpoint": A_CHECKPOINT,
}


class Whose(Enum):
    """With whose token a report comes."""

    OWN = auto()
    EARLIER = auto()
    """Of the pod of the attempt before, or of none."""
    OTHER = auto()
    """Of another run's pod."""
    ELSEWHERE = auto()
    """Of a pod in another namespace that got hold of the UID: nobody can, and it would not help."""


@dataclass(frozen=True)
class Sent:
    """A report, and whose token it comes with."""

    whose: Whose
    body: bytes


RUNNING = a_run().begun().pod_running()
HEARD = deepcopy(RUNNING).heard(Stage.TRAINING, epoch=5, epochs=30, percent=20).looked_at()
RESUMED = deepcopy(HEARD).pod_exits(12).looked_at().later(minutes=1).looked_at().looked_at().pod_running()


def another_run() -> World:
    world = a_run("other")
    world.run = replace(world.run, uid="bbbbbbbb-0000-4000-8000-000000000002")
    world.begun().pod_running()
    world.jobs[1] = replace(world.jobs[1], uid="other-job")
    world.pods[1] = replace(world.pods[1], uid="other-pod", job_uid="other-job")
    return world


OTHER = another_run()
WORLDS = (RUNNING, HEARD, RESUMED)


@st.composite
def sendings(draw: st.DrawFn) -> tuple[World, list[Sent]]:
    """A world, and reports to its run: mostly from its pod, and about the right attempt."""
    world = draw(st.sampled_from(WORLDS))
    own = st.sampled_from([Whose.OWN] * 6 + [*Whose])
    attempt = draw(st.sampled_from([world.attempt] * 6 + [1, 2, 3]))
    reports = altered(A_REPORT | {"attempt": attempt})
    return world, draw(st.lists(st.builds(Sent, own, mangled(reports)), min_size=1, max_size=3))


@share(300)
def test_no_report_makes_a_status_that_is_none(examples: int, seed: int) -> None:
    each(sendings(), examples, seed, lambda drawn: check(*drawn))


def check(start: World, sent: list[Sent]) -> None:
    world, cache, reports = copied(start), Cache(), ReportStore()
    remember(cache, world)
    remember(cache, OTHER)
    uid = world.pods[world.attempt].uid
    for one in sent:
        report = believe(one, cache, reports, world)
        if report is not None:
            assert (one.whose, report.attempt) == (Whose.OWN, world.attempt)
        heard = next(iter(reports.of_pods([uid])), None)
        world.report = heard or world.report
        before = world.status
        decision = world.later(seconds=5).decide()
        assert decision.actions == ()
        holds(before, decision.status, heard)
        world.run = replace(world.run, status=decision.status)


def copied(world: World) -> World:
    return replace(world, jobs=dict(world.jobs), pods=dict(world.pods))


def remember(cache: Cache, world: World) -> None:
    cache.store_run(world.stored())
    for job in world.jobs.values():
        cache.store_job(job)
    for pod in world.pods.values():
        cache.store_pod(pod)


def identity(whose: Whose, world: World) -> PodIdentity:
    pod = world.pods[world.attempt]
    own = PodIdentity(pod.namespace, pod.name, pod.uid)
    match whose:
        case Whose.EARLIER:
            return replace(own, uid=f"pod-{world.attempt - 1}")
        case Whose.OTHER:
            return replace(own, uid=OTHER.pods[1].uid)
        case Whose.ELSEWHERE:
            return replace(own, namespace="another")
    return own


def believe(sent: Sent, cache: Cache, reports: ReportStore, world: World) -> ProgressReport | None:
    """What the intake does with a report whose token it has found sound; the report, where it is the run's."""
    if len(sent.body) > MAX_REPORT_BYTES:
        return None
    pod = identity(sent.whose, world)
    known = reports.of_pods([pod.uid])
    try:
        report = read_report(sent.body)
        key = run_of(pod, report.attempt, cache)
    except NotAReportError as refusal:
        assert len(str(refusal)) < 1000
        assert str(refusal).isprintable()
        return None
    except NotYoursError:
        return None
    if reports.receive(pod.uid, report, world.now) is Reception.OLD:
        assert known[0].report.sequence >= report.sequence
        assert reports.of_pods([pod.uid]) == known
        return None
    return report if key == world.run.key else None


def holds(before: TrainingRunStatus, after: TrainingRunStatus, heard: ObservedReport | None) -> None:
    told: dict[str, Any] = after.to_json_object()
    assert list(violations(told, STATUS)) == []
    assert TrainingRunStatus.model_validate_json(json.dumps(told)) == after
    # A pod cannot end its run, nor spend its retries, by words alone.
    assert after.phase in AT_WORK
    assert [attempt.ended_at for attempt in after.attempts] == [attempt.ended_at for attempt in before.attempts]
    assert (after.retries, after.current_attempt) == (before.retries, before.current_attempt)
    assert before.progress is not None
    assert after.progress is not None
    assert (after.batch_size or 0) <= (before.batch_size or 0)
    if before.progress.stage:
        assert after.progress.epoch >= before.progress.epoch
        assert after.progress.percent >= before.progress.percent
    if heard is None:
        assert after.progress.epoch == before.progress.epoch
        assert after.last_report_time == before.last_report_time
