"""The manifest of an attempt's Job."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from modelyard_api.run_document import RUN_ANNOTATION, RunDocument
from modelyard_operator.domain.job import job_manifest

from tests.unit.operator_.world import NOON, SETTINGS, World, a_run

GOLDEN = Path(__file__).parent / "golden" / "job.yaml"


def manifest_of(world: World, **settings: Any) -> dict[str, Any]:
    world.begun()
    return job_manifest(world.run, world.status.attempts[-1], replace(SETTINGS, **settings))


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return pod


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(manifest)["containers"]
    found: dict[str, Any] = container
    return found


def test_it_is_the_golden_one() -> None:
    """Run with UPDATE_GOLDEN=1 to write it anew, and read the difference."""
    manifest = manifest_of(a_run())
    # The document has tests of its own, and would make every change of a default a change of this file.
    manifest["spec"]["template"]["metadata"]["annotations"][RUN_ANNOTATION] = "(the run document)"
    text = yaml.safe_dump(manifest, sort_keys=True, width=120)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_document_says_everything_with_defaults_filled_in() -> None:
    manifest = manifest_of(a_run(training={"epochs": 7}))
    document = RunDocument.model_validate_json(manifest["spec"]["template"]["metadata"]["annotations"][RUN_ANNOTATION])
    assert (document.namespace, document.name, document.attempt, document.batch_size) == ("vision", "digits", 1, 32)
    assert (document.spec.training.epochs, document.spec.training.image_size) == (7, 640)
    assert document.intake is not None
    assert document.intake.url == SETTINGS.intake_url
    assert document.image == SETTINGS.trainer_image


def test_it_is_the_same_whenever_it_is_made() -> None:
    world = a_run()
    assert manifest_of(world) == manifest_of(world.later(days=1))


def test_gpus_and_their_type() -> None:
    manifest = manifest_of(a_run(resources={"gpus": 1, "gpuType": "nvidia-l4", "nodeSelector": {"zone": "a"}}))
    assert container_of(manifest)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod_of(manifest)["nodeSelector"] == {"zone": "a", "modelyard.dev/gpu-type": "nvidia-l4"}


def test_without_a_gpu_none_is_asked_for() -> None:
    assert "nvidia.com/gpu" not in container_of(manifest_of(a_run(resources={"gpus": 0})))["resources"]["limits"]


def test_a_queued_job_is_created_suspended() -> None:
    manifest = manifest_of(a_run(resources={"queue": "team-a"}))
    assert manifest["spec"]["suspend"] is True
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"


def test_secrets_are_referred_to_and_optional() -> None:
    volumes = {volume["name"]: volume for volume in pod_of(manifest_of(a_run()))["volumes"]}
    assert volumes["dataset-credentials"]["secret"]["secretName"] == "s3"
    assert volumes["dataset-credentials"]["secret"]["optional"] is True
    assert volumes["intake-ca"]["configMap"]["optional"] is True


def test_no_secret_no_volume() -> None:
    manifest = manifest_of(a_run(dataset={"s3": {"uri": "s3://datasets/digits/v1/", "secretRef": None}}))
    assert "dataset-credentials" not in {volume["name"] for volume in pod_of(manifest)["volumes"]}


def test_every_mount_has_its_volume_and_every_volume_its_mount() -> None:
    on_a_volume = {"from": {"volume": {"claimName": "a"}}}
    for world in (a_run(), a_run(model=on_a_volume)):
        manifest = manifest_of(world)
        volumes = {volume["name"] for volume in pod_of(manifest)["volumes"]}
        assert {mount["name"] for mount in container_of(manifest)["volumeMounts"]} == volumes


def test_volumes_of_data_and_weights_are_mounted_to_be_read_and_never_written() -> None:
    weights = {"volume": {"claimName": "weights", "path": "a.pth"}}
    world = a_run(dataset={"s3": None, "volume": {"claimName": "pictures"}}, model={"pretrained": weights})
    manifest = manifest_of(world)
    volumes = {volume["name"]: volume for volume in pod_of(manifest)["volumes"]}
    mounts = {mount["name"]: mount for mount in container_of(manifest)["volumeMounts"]}
    for name, claim in (("dataset", "pictures"), ("weights", "weights")):
        assert volumes[name]["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
        assert mounts[name] == {"name": name, "mountPath": f"/var/run/modelyard/volumes/{name}", "readOnly": True}


def test_the_active_deadline_is_what_the_run_has_left() -> None:
    world = a_run(recovery={"activeDeadline": "1h"}).begun()
    second = world.status.attempts[-1].model_copy(update={"started_at": NOON + timedelta(minutes=10)})
    manifest = job_manifest(world.run, second, SETTINGS)
    assert manifest["spec"]["activeDeadlineSeconds"] == 3000


def test_no_rule_ever_starts_a_second_pod_within_an_attempt() -> None:
    rules = manifest_of(a_run())["spec"]["podFailurePolicy"]["rules"]
    assert {rule["action"] for rule in rules} == {"FailJob"}


@pytest.mark.parametrize("name", ["a", "digits", "a.b.c", "x" * 253, "ends-with-a-dot." + "y" * 100])
def test_names_and_labels_are_valid_whatever_the_run_is_called(name: str) -> None:
    manifest = manifest_of(a_run(name))
    assert len(manifest["metadata"]["name"]) <= 57
    assert manifest["metadata"]["name"].replace("-", "").isalnum()
    assert all(len(value) <= 63 for value in manifest["metadata"]["labels"].values())


def test_the_annotation_fits_by_far() -> None:
    assert len(json.dumps(manifest_of(a_run()))) < 32_000
