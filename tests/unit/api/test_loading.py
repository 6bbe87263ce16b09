"""A TrainingRun read from a file: the same verdicts as the API server's, and a sentence for each mistake."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from modelyard_api.base import seconds
from modelyard_api.loading import InvalidRunError, load_run
from modelyard_api.quantity import quantity
from modelyard_api.spec import OptimizerName
from modelyard_api.training_run import TrainingRun

from tests.api.acceptances import ACCEPTED, Acceptance
from tests.api.manifests import ABSENT, RIGHT, Changes, changed
from tests.api.refusals import BY_RULES, BY_THE_SCHEMA, Refusal

EXAMPLES = Path(__file__).parents[3] / "examples"

FROM_THE_DESIGN = """
apiVersion: modelyard.dev/v1alpha1
kind: TrainingRun
metadata: {name: yolov5nu-v1, namespace: vision}
spec:
  task: detection
  dataset:
    s3: {uri: s3://datasets/coco-like/v3/, secretRef: {name: s3}}
    format: coco
    validationSplit: 0.2
  model: {architecture: yolov5nu}
  training:
    epochs: 300
    batchSize: 32
    imageSize: 640
    optimizer: {name: AdamW, learningRate: 1e-3, weightDecay: 5e-4}
    schedule: {name: cosine, warmupEpochs: 3}
    seed: 42
  detection: {augment: {fliplr: 0.5, hsvH: 0.015, hsvS: 0.7, hsvV: 0.4, mosaic: 1.0}}
  export:
    - {format: onnx, opset: 14, dynamic: true}
  artifacts: {s3: {uri: s3://models/, secretRef: {name: s3}}}
  resources: {gpus: 1, gpuType: nvidia-l4}
"""

SENTENCES: dict[str, tuple[Changes, str]] = {
    "no epochs": ({"spec.training.epochs": 0}, "spec.training.epochs: must be at least 1"),
    "epochs as a text": ({"spec.training.epochs": "3"}, "spec.training.epochs: must be a whole number"),
    "half an epoch": ({"spec.training.epochs": 0.5}, "spec.training.epochs: must be a whole number"),
    "two sides": ({"spec.training.imageSize": [640, 480]}, "spec.training.imageSize: must be a whole number"),
    "optimizer auto": (
        {"spec.training.optimizer.name": "auto"},
        "spec.training.optimizer.name: must be 'AdamW', 'Adam', 'Adamax', 'NAdam', 'RAdam', 'RMSProp' or 'SGD'",
    ),
    "no learning rate": (
        {"spec.training.optimizer.learningRate": 0},
        "spec.training.optimizer.learningRate: must be above 0",
    ),
    "all for validation": ({"spec.dataset.validationSplit": 1}, "spec.dataset.validationSplit: must be below 1"),
    "17 GPUs": ({"spec.resources.gpus": 17}, "spec.resources.gpus: must be at most 16"),
    "cores as a number": (
        {"spec.resources.cpu": 4},
        "spec.resources.cpu: must be a text; put numbers and true or false in quotes",
    ),
    "suspend as a text": ({"spec.suspend": "yes"}, "spec.suspend: must be true or false"),
    "a misspelt field": ({"spec.training.epohs": 3}, "spec.training.epohs: is not a field; did you mean epochs?"),
    "a field of another tool": ({"spec.gpu_hours": 3}, "spec.gpu_hours: is not a field; leave it out"),
    "no model": ({"spec.model": ABSENT}, "spec.model: is required"),
    "a block as a text": ({"spec.training": "fast"}, "spec.training: must be a block of fields"),
    "exports as a map": ({"spec.export": {"format": "onnx"}}, "spec.export: must be a list"),
    "an export without a format": ({"spec.export": [{}]}, "spec.export[0].format: is required"),
    "labels as a list": (
        {"spec.resources.nodeSelector": ["a"]},
        "spec.resources.nodeSelector: must be a map of names to texts",
    ),
    "a long name of a class": (
        {"spec.resources.image": "a" * 513},
        "spec.resources.image: must have at most 512 characters",
    ),
    "17 exports": ({"spec.export": [{"format": "onnx"}] * 17}, "spec.export: must have at most 16 items"),
    "another version": ({"apiVersion": "modelyard.dev/v2"}, "apiVersion: must be 'modelyard.dev/v1alpha1'"),
    "no name": ({"metadata.name": ABSENT}, "metadata.name: is required"),
}


def test_reads_the_run_of_the_design() -> None:
    run = load_run(FROM_THE_DESIGN)
    assert run.metadata.name == "yolov5nu-v1"
    assert run.spec.training.optimizer.name is OptimizerName.ADAMW
    assert run.spec.training.optimizer.learning_rate == 0.001
    assert run.spec.training.optimizer.weight_decay == 0.0005
    assert run.spec.training.patience == 0


@pytest.mark.parametrize("acceptance", ACCEPTED, ids=str)
def test_takes_what_the_api_server_takes(acceptance: Acceptance) -> None:
    run = _load(acceptance.changes)
    assert TrainingRun.model_validate(run.to_json_object()) == run


@pytest.mark.parametrize("refusal", [r for r in BY_RULES if not r.in_a_cluster_only], ids=str)
def test_refuses_with_the_sentence_of_the_rule(refusal: Refusal) -> None:
    with pytest.raises(InvalidRunError) as error:
        _load(refusal.changes)
    assert f"{refusal.path}: {refusal.sentence}" in str(error.value).splitlines()


@pytest.mark.parametrize("refusal", [r for r in BY_RULES if r.in_a_cluster_only], ids=str)
def test_takes_what_only_a_cluster_has_to_refuse(refusal: Refusal) -> None:
    assert _load(refusal.changes).spec.artifacts.path == "/results"


@pytest.mark.parametrize("refusal", BY_THE_SCHEMA, ids=str)
def test_refuses_by_type_range_enum_or_name(refusal: Refusal) -> None:
    with pytest.raises(InvalidRunError) as error:
        _load(refusal.changes)
    assert [problem.path for problem in error.value.problems] == [refusal.path]


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_says_what_would_be_right(changes: Changes, sentence: str) -> None:
    with pytest.raises(InvalidRunError) as error:
        _load(changes)
    assert str(error.value) == sentence


def test_names_every_problem_at_once() -> None:
    with pytest.raises(InvalidRunError) as error:
        _load({"spec.training.epochs": 0, "spec.resources.gpus": -1})
    assert str(error.value) == "spec.training.epochs: must be at least 1\nspec.resources.gpus: must be at least 0"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: {b", "is not YAML: line 1, column 6: expected ',' or '}', but got '<stream end>'"),
        ("kind: Job", "must hold one object of kind TrainingRun; found 0"),
        ("", "must hold one object of kind TrainingRun; found 0"),
        (f"{FROM_THE_DESIGN}\n---{FROM_THE_DESIGN}", "must hold one object of kind TrainingRun; found 2"),
        (
            "kind: TrainingRun\nkind: TrainingRun",
            "is not YAML: line 2, column 1: 'kind' is there twice; keep one of them",
        ),
        ("kind: TrainingRun\nspec: !!python/object:os.system {}", "is not YAML: line 2, column 7: could not determine"),
    ],
)
def test_says_what_is_wrong_with_the_file(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRunError) as error:
        load_run(text)
    assert str(error.value).startswith(sentence)


def test_finds_the_run_among_other_objects() -> None:
    text = f"kind: Namespace\nmetadata: {{name: vision}}\n---{FROM_THE_DESIGN}"
    assert load_run(text) == load_run(FROM_THE_DESIGN)


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e-3", 0.001), ("5E-4", 0.0005), ("1.e-3", 0.001), (".001", 0.001), ("0.001", 0.001), ("1", 1)],
)
def test_reads_numbers_as_kubectl_does(written: str, number: float) -> None:
    run = load_run(FROM_THE_DESIGN.replace("learningRate: 1e-3", f"learningRate: {written}"))
    assert run.spec.training.optimizer.learning_rate == number


@pytest.mark.parametrize("written", ["12:30", "2026-11-21", "1e", "e5", "1.2.3", "0x", "-"])
def test_takes_for_a_text_what_is_no_number(written: str) -> None:
    run = load_run(FROM_THE_DESIGN.replace("name: yolov5nu-v1", f"name: yolov5nu-v1, annotations: {{a: {written}}}"))
    assert run.metadata.model_extra == {"annotations": {"a": written}}


def test_json_is_yaml() -> None:
    assert load_run(json.dumps(RIGHT)) == _load({})


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_takes_every_example(example: Path) -> None:
    if "kind: TrainingRun" in example.read_text():
        load_run(example.read_text())


@pytest.mark.parametrize(
    ("text", "length"), [("90s", 90), ("30m", 1800), ("1h30m15s", 5415), ("72h", 259200), ("0s", 0)]
)
def test_a_duration_has_a_length(text: str, length: int) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("4", 4), ("500m", 0.5), ("0.25", 0.25), ("16Gi", 16 * 2**30), ("64M", 64_000_000), ("2k", 2000)),
        *(("1.5Ki", 1536), ("9P", 9 * 10**15), ("0.0000000001", Decimal("1e-9"))),
        *(("9999Pi", 2**63 - 1), ("9999999999999999999", 2**63 - 1)),
    ],
)
def test_a_quantity_is_a_number(text: str, number: float | Decimal) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "4 Gi", "4Gb", "1.2.3", "4iG"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


def _load(changes: Changes) -> TrainingRun:
    return load_run(yaml.safe_dump(changed(changes)))
