"""The real API server's accept and reject table."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from modelyard_api.loading import InvalidRunError, load_run, parse_run
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema
from modelyard_api.training_run import MAY_CHANGE
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import ApiError

from tests.api.acceptances import ACCEPTED, Acceptance
from tests.api.conftest import RUNS, Send
from tests.api.manifests import ABSENT, CLASSIFICATION, FACE_ID, REID, RIGHT, Changes, changed, filled_in
from tests.api.refusals import BY_RULES, BY_THE_SCHEMA, FIXED, Refusal

EXAMPLES = Path(__file__).parents[2] / "examples"

CHANGES_AFTER_THE_START: dict[str, Changes] = {
    "spec.task": {"spec.task": "classification"},
    "spec.mode": {"spec.mode": "evaluate", "spec.model.from": {"run": "digits"}},
    "spec.dataset": {"spec.dataset.validationSplit": 0.3},
    "spec.model": {"spec.model.architecture": "yolov8n"},
    "spec.training": {"spec.training.optimizer.learningRate": 0.002},
    "spec.detection": {"spec.detection": {"loss": {"box": 5}}},
    "spec.classification": {"spec.classification": {}},
    "spec.reid": {"spec.reid": {}},
    "spec.faceId": {"spec.faceId": {}},
    "spec.export": {"spec.export": [{"format": "torchscript"}]},
    "spec.formatPriorities": {"spec.formatPriorities": ["onnx"]},
    "spec.artifacts": {"spec.artifacts.s3.uri": "s3://others/"},
    "spec.resources": {"spec.resources.gpus": 0},
    "spec.checkpoints": {"spec.checkpoints.every": "1m"},
}
ALLOWED_AFTER_THE_START: dict[str, Changes] = {
    "suspended": {"spec.suspend": True},
    "approved": {"spec.approval.approved": True},
    "given more time": {"spec.recovery": {"activeDeadline": "96h", "maxRetries": 10}},
}


@pytest.mark.parametrize("refusal", BY_RULES, ids=str)
def test_refuses_with_the_sentence_of_the_rule(dry_run: Send, refusal: Refusal) -> None:
    with pytest.raises(ApiError) as answer:
        dry_run(changed(refusal.changes))
    assert answer.value.code == 422
    assert (refusal.path, refusal.sentence) in _causes(str(answer.value))


@pytest.mark.parametrize("refusal", BY_THE_SCHEMA, ids=str)
def test_refuses_by_type_range_enum_or_name(dry_run: Send, refusal: Refusal) -> None:
    with pytest.raises(ApiError) as answer:
        dry_run(changed(refusal.changes))
    assert answer.value.code in {400, 422}
    assert refusal.path in str(answer.value)
    assert refusal.sentence in str(answer.value)


def test_every_rule_is_seen_to_refuse() -> None:
    seen = {(re.sub(r"\[\w+\]", "[]", refusal.path), refusal.sentence) for refusal in BY_RULES}
    seen.add(("spec", FIXED))
    assert seen == set(_rules(training_run_schema(), ""))


@pytest.mark.parametrize("acceptance", ACCEPTED, ids=str)
def test_accepts_and_fills_in_what_the_models_would(dry_run: Send, acceptance: Acceptance) -> None:
    manifest = changed(acceptance.changes)
    assert dry_run(manifest)["spec"] == filled_in(manifest)


def test_at_least_twenty_right_manifests_are_accepted() -> None:
    assert len(ACCEPTED) >= 20


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_accepts_every_example(dry_run: Send, example: Path) -> None:
    for manifest in yaml.safe_load_all(example.read_text()):
        if manifest["kind"] == "TrainingRun":
            # PyYAML takes 1e-3 for a text; kubectl and load_run do not.
            as_json = load_run(example.read_text()).to_json_object()
            dry_run(changed({"metadata": {"name": manifest["metadata"]["name"]}}, base=as_json))


@pytest.mark.parametrize("seed", range(60))
def test_the_laptop_agrees_on_any_three_changes(dry_run: Send, seed: int) -> None:
    rows: list[Acceptance | Refusal] = [row for row in BY_RULES if not row.in_a_cluster_only]
    # So that about every fourth of them is right in all three.
    rows += ACCEPTED * 5
    manifest = RIGHT
    for row in random.Random(seed).sample(rows, 3):
        manifest = changed(row.changes, base=manifest)
    try:
        kept = dry_run(manifest)["spec"]
    except ApiError as refusal:
        assert refusal.code == 422
        with pytest.raises(InvalidRunError):
            parse_run(manifest)
    else:
        assert kept == filled_in(manifest)


def test_kubectl_apply_shows_the_sentence(served: BareControlPlane, namespace: str) -> None:
    manifest = """
apiVersion: modelyard.dev/v1alpha1
kind: TrainingRun
metadata: {name: wrong}
spec:
  task: detection
  dataset: {s3: {uri: s3://datasets/digits/}}
  model: {architecture: yolov5nu}
  training: {optimizer: {learningRate: 1e-3}}
  artifacts: {s3: {uri: s3://models/}}
  resources: {gpus: 0, gpuType: nvidia-l4}
"""
    with pytest.raises(Exception, match="is invalid") as refusal:
        served.kubectl("apply", f"--namespace={namespace}", "-f", "-", stdin=manifest)
    assert "spec.resources.gpuType: Invalid value: needs a GPU: set spec.resources.gpus to 1, or leave it out" in str(
        refusal.value
    )


@pytest.mark.parametrize("path", CHANGES_AFTER_THE_START)
def test_what_a_run_has_started_with_is_fixed(
    served: BareControlPlane, namespace: str, create: Send, path: str
) -> None:
    run = f"{RUNS.format(namespace=namespace)}/right"
    change = {"spec": _difference(CHANGES_AFTER_THE_START[path])}
    blocks = {"spec.classification": CLASSIFICATION, "spec.faceId": FACE_ID, "spec.reid": REID}
    create(changed(blocks.get(path, {})))
    if path != "spec.task":
        served.api.patch(f"{run}?dryRun=All", change)

    served.api.patch(f"{run}/status", {"status": {"startedAt": "2026-11-21T12:00:00Z"}})
    with pytest.raises(ApiError) as answer:
        served.api.patch(f"{run}?dryRun=All", change)
    assert answer.value.code == 422
    assert ("spec", f"{path.removeprefix('spec.')} {FIXED}") in _causes(str(answer.value))


def test_a_block_that_is_absent_at_the_start_cannot_appear_and_one_that_is_there_cannot_go(
    served: BareControlPlane, namespace: str, create: Send
) -> None:
    create(changed({"spec.detection": {"loss": {"box": 5}}}))
    run = f"{RUNS.format(namespace=namespace)}/right"
    served.api.patch(f"{run}/status", {"status": {"startedAt": "2026-11-21T12:00:00Z"}})
    with pytest.raises(ApiError, match=re.escape(f"spec: Invalid value: detection {FIXED}")):
        served.api.patch(run, {"spec": {"detection": None}})


@pytest.mark.parametrize("status", [{"phase": "Running"}, {"lastReportTime": "2026-11-21T12:30:00Z"}, None], ids=str)
def test_no_status_that_is_sent_along_lets_another_spec_through(
    served: BareControlPlane, namespace: str, create: Send, status: dict[str, str] | None
) -> None:
    create(RIGHT)
    run = f"{RUNS.format(namespace=namespace)}/right"
    served.api.patch(f"{run}/status", {"status": {"startedAt": "2026-11-21T12:00:00Z"}})
    for path in (run, f"{run}/status"):
        with contextlib.suppress(ApiError):
            served.api.patch(path, {"spec": {"mode": "evaluate"}, "status": status})
    assert served.api.get(run)["spec"]["mode"] == "train"


def test_every_field_that_is_fixed_is_seen_to_be() -> None:
    fields = training_run_schema()["properties"]["spec"]["properties"].keys() - MAY_CHANGE
    assert {f"spec.{field}" for field in fields} == CHANGES_AFTER_THE_START.keys()


@pytest.mark.parametrize("what", ALLOWED_AFTER_THE_START)
def test_a_started_run_may_be(served: BareControlPlane, namespace: str, create: Send, what: str) -> None:
    create(RIGHT)
    run = f"{RUNS.format(namespace=namespace)}/right"
    served.api.patch(f"{run}/status", {"status": {"startedAt": "2026-11-21T12:00:00Z"}})
    change = {"spec": _difference(ALLOWED_AFTER_THE_START[what])}
    assert served.api.patch(run, change)["metadata"]["generation"] == 2


def _causes(message: str) -> set[tuple[str, str]]:
    """The fields and sentences in the message of a 422, less the values that were refused."""
    text = re.sub(r"^.* is invalid: ", "", message).removeprefix("[").removesuffix("]")
    causes = re.split(r", (?=[a-z]\w*(?:\.\w+|\[\w+\])*: (?:Invalid|Unsupported|Required|Too|Forbidden))", text)
    found = set()
    for cause in causes:
        path, _, sentence = cause.partition(": Invalid value: ")
        found.add((path, re.sub(r'^"(?:[^"\\]|\\.)*": ', "", sentence)))
    return found


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """The field that each CEL rule of a schema is about, and its sentence."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield (path + rule.get("fieldPath", "")).removeprefix("."), rule["message"]
    for name, part in schema.get("properties", {}).items():
        yield from _rules(part, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from _rules(part, f"{path}[]")


def _difference(changes: Changes) -> object:
    """Changes as the spec of a merge patch."""
    assert ABSENT not in changes.values()
    return changed(changes, base={"spec": {}})["spec"]
