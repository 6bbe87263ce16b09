"""Specs that say everything there is to say, and what hands make of them."""

from __future__ import annotations

from typing import Any

from modelyard_api.loading import parse_run

from tests.api.manifests import RIGHT, changed

FULL: dict[str, Any] = changed(
    {
        "dataset.s3.endpoint": "http://s3.storage.svc:7070",
        "artifacts.s3.endpoint": "https://s3.example",
        "detection": {"loss": {"box": 5.0}, "rect": False},
        "export": [
            {"format": "onnx", "opset": 14, "dynamic": True, "tolerance": 0.01},
            {"format": "onnx", "precision": "int8", "maxMetricDrop": 0.1, "calibration": {"pictures": 64}},
            {"format": "tensorrt", "precision": "fp16", "required": True},
        ],
        "formatPriorities": ["onnx"],
        "resources.gpuType": "nvidia-l4",
        "resources.queue": "gpus",
        "resources.serviceAccountName": "trainer",
        "resources.priorityClassName": "high",
        "resources.nodeSelector": {"topology.kubernetes.io/zone": "a", "disk": ""},
        "resources.tolerations": [{"key": "nvidia.com/gpu"}, {"key": "a", "operator": "Equal", "value": "b"}],
        "resources.image": "registry.example/team/trainer:1",
        "checkpoints.everyEpochs": 5,
        "recovery.activeDeadline": "72h",
        "recovery.startDeadline": "1h",
        "recovery.divergence": {"action": "retry", "learningRateFactor": 0.5, "maxRetries": 2},
        "recovery.oom": {"keepEffectiveBatch": False, "learningRate": "scale"},
    },
    base=RIGHT["spec"],
)
FULL = parse_run({**RIGHT, "spec": FULL}).spec.to_json_object()
"""With every field that there is, defaults included."""

SMALL: dict[str, Any] = RIGHT["spec"]
"""As little as there can be."""
