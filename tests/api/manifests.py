"""TrainingRuns for the tables of these tests: one that is right, and small changes to it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from modelyard_api.loading import parse_run

Manifest = dict[str, Any]
Changes = Mapping[str, object]

ABSENT = object()
"""As the value of a change: the field is taken away."""

RIGHT: Manifest = {
    "apiVersion": "modelyard.dev/v1alpha1",
    "kind": "TrainingRun",
    "metadata": {"name": "right"},
    "spec": {
        "task": "detection",
        "dataset": {"s3": {"uri": "s3://datasets/digits/v1/", "secretRef": {"name": "s3"}}},
        "model": {"architecture": "yolov5nu"},
        "artifacts": {"s3": {"uri": "s3://models/", "secretRef": {"name": "s3"}}},
    },
}
"""As little as a TrainingRun can say."""

CLASSIFICATION: Changes = {
    "spec.task": "classification",
    "spec.dataset.format": "image-folder",
    "spec.model.architecture": "resnet18",
    "spec.training.imageSize": 224,
}
"""Changes that make a classification of it."""
TABLE: Changes = {
    **CLASSIFICATION,
    "spec.dataset.format": "table",
    "spec.classification": {"table": {"label": {"field": "type"}}, "augment": {"horizontalFlip": 0}},
}
"""Changes that make a classification by a metadata table of it."""
REID: Changes = {
    "spec.task": "reid",
    "spec.dataset.format": "market1501",
    "spec.model.architecture": "osnet_x1_0",
}
"""Changes that make a re-identification of it."""
FACE_ID: Changes = {**CLASSIFICATION, "spec.task": "face-id"}
"""Changes that make a face identification of it."""


def changed(changes: Changes, base: Manifest = RIGHT) -> Manifest:
    """`base` with each value put at its dotted path, such as `spec.training.epochs` or `spec.export.0.opset`."""
    result = deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = result
        for part in parents:
            if not isinstance(place, list) and place.get(part) is None:
                place[part] = {}
            place = place[int(part) if isinstance(place, list) else part]
        if value is ABSENT:
            place.pop(last, None)
        else:
            place[int(last) if isinstance(place, list) else last] = deepcopy(value)
    return result


def filled_in(manifest: Manifest) -> Manifest:
    """The spec that the API server keeps of a right manifest: the models' defaults, but lists as they are written."""
    spec: Manifest = _with_lists_of(manifest["spec"], parse_run(manifest).spec.to_json_object())
    return spec


def _with_lists_of(written: Any, filled: Any) -> Any:
    if isinstance(written, dict) and isinstance(filled, dict):
        return {name: _with_lists_of(written.get(name), part) for name, part in filled.items()}
    return written if isinstance(written, list) else filled
