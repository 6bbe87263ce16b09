"""Runs that start from another run's weights, and runs that train nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from modelyard_api.location import S3Location, SecretReference
from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.run_document import RUN_ANNOTATION, WEIGHTS_CREDENTIALS_FOLDER, RunDocument
from modelyard_api.status import Phase, Progress
from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.domain.job import job_manifest
from modelyard_operator.domain.observed import ObservedRun

from tests.unit.operator_.world import SETTINGS, World, a_run

PUBLISHED = "s3://models/team/vision/digits-v1/bbbb/pod/artifacts"
SOURCE = S3Location(
    uri=PUBLISHED, endpoint="http://s3.storage.svc:7070", secret_ref=SecretReference(name="team-models")
)


def source(phase: Phase, **status: Any) -> ObservedRun:
    """The run `digits-v1`."""
    artifacts = SOURCE.model_copy(update={"uri": "s3://models/team/"}).to_json_object()
    run = a_run("digits-v1", artifacts={"s3": artifacts}).run
    return replace(run, uid="bbbb", status=run.status.model_copy(update={"phase": phase, **status}))


def starting_from(run: ObservedRun | None, **spec: Any) -> World:
    world = a_run("digits-v2", model={"from": {"run": "digits-v1"}}, **spec)
    world.source = run
    return world


COMPLETE = source(Phase.COMPLETE, artifacts_uri=PUBLISHED)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (None, "waits for run digits-v1, which is not there"),
        (source(Phase.PENDING), "waits for run digits-v1, which is Pending"),
        (
            source(Phase.RUNNING, progress=Progress(epoch=12, epochs=50, display="12/50")),
            "waits for run digits-v1, which is Running, epoch 12/50",
        ),
    ],
)
def test_it_waits_for_a_run_that_is_not_complete(run: ObservedRun | None, message: str) -> None:
    decision = starting_from(run).decide()
    status = decision.status
    assert (status.phase, status.reason, status.message) == (Phase.PENDING, "WaitingForRun", message)
    assert not decision.actions
    assert decision.requeue_after == timedelta(seconds=10)


def test_it_fails_with_the_run_that_it_waits_for() -> None:
    status = starting_from(source(Phase.FAILED)).decide().status
    assert (status.phase, status.reason) == (Phase.FAILED, Reason.WEIGHTS_NOT_FOUND)
    assert status.message == (
        "spec.model.from.run: run digits-v1 failed and has published nothing; one that is complete would be right"
    )


def test_it_does_not_wait_for_itself() -> None:
    world = a_run("digits", model={"from": {"run": "digits"}})
    world.source = world.run
    status = world.decide().status
    assert (status.phase, status.reason) == (Phase.FAILED, Reason.SPEC_INVALID)
    assert status.message == "spec.model.from.run names this very run; another one would be right"


def test_its_job_is_told_where_the_weights_are_and_has_their_secret() -> None:
    world = starting_from(COMPLETE)
    (action,) = world.decide().actions
    assert isinstance(action, CreateJob)
    manifest = job_manifest(world.run, action.attempt, SETTINGS, action.source)
    document = RunDocument.model_validate_json(manifest["spec"]["template"]["metadata"]["annotations"][RUN_ANNOTATION])
    assert document.source == SOURCE
    pod = manifest["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert secrets["weights-credentials"] == "team-models"
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["weights-credentials"] == str(WEIGHTS_CREDENTIALS_FOLDER)


def test_a_later_attempt_does_not_mind_that_the_run_is_gone() -> None:
    world = starting_from(COMPLETE).begun().pod_running()
    world.source = None
    world.pod_exits(1).job_ends("Failed").looked_at()
    assert world.later(minutes=10).looked_at().status.current_attempt == 2


@pytest.mark.parametrize("mode", ["evaluate", "export"])
def test_what_trains_nothing_counts_no_epochs(mode: str) -> None:
    world = starting_from(COMPLETE, mode=mode).begun().pod_running()
    world.heard(Stage.EVALUATING, epochs=0, percent=20.0)
    status = world.decide().status
    assert status.phase is Phase.RUNNING
    assert status.progress is not None
    assert (status.progress.display, status.progress.percent_display) == ("-", "20%")
