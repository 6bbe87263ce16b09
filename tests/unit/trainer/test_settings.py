"""Fields that the command line sets."""

from __future__ import annotations

from typing import Any

import pytest
from modelyard_api.loading import InvalidRunError, read_run
from modelyard_cli.settings import with_settings

MANIFEST: dict[str, Any] = read_run(
    """
kind: TrainingRun
spec:
  training: {epochs: 50, optimizer: {learningRate: 1e-3}}
  export: [{format: onnx}, {format: torchscript}]
"""
)


def changed(*settings: str) -> dict[str, Any]:
    spec: dict[str, Any] = with_settings(MANIFEST, settings)[0]["spec"]
    return spec


def test_a_setting_reaches_its_field_as_yaml_would_write_it() -> None:
    spec = changed("training.optimizer.learningRate=2e-4", "spec.dataset.limit=64", "export.1.format=onnx")
    assert spec["training"] == {"epochs": 50, "optimizer": {"learningRate": 2e-4}}
    assert spec["dataset"] == {"limit": 64}
    assert spec["export"] == [{"format": "onnx"}, {"format": "onnx"}]
    assert MANIFEST["spec"]["training"]["optimizer"]["learningRate"] == 1e-3
    assert changed("classification={classes: [a, b]}")["classification"] == {"classes": ["a", "b"]}


def test_a_warm_up_gives_way_to_fewer_epochs_and_that_is_said() -> None:
    manifest, notices = with_settings(MANIFEST, ["training.epochs=1"])
    assert manifest["spec"]["training"]["schedule"] == {"warmupEpochs": 0}
    assert notices == ("spec.training.schedule.warmupEpochs: 0 instead of 3, since there are no more than 1 epochs",)
    assert not with_settings(MANIFEST, ["training.epochs=9"])[1]
    asked = with_settings(MANIFEST, ["training.epochs=1", "training.schedule.warmupEpochs=2"])
    assert asked[0]["spec"]["training"]["schedule"] == {"warmupEpochs": 2}
    assert not asked[1]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("training.epochs", "--set: must be FIELD=VALUE, such as training.epochs=1, not 'training.epochs'"),
        ("export.2.opset=14", "--set export.2.opset: has no item 2; there are 2, counted from 0"),
        ("training.epochs.many=1", "--set training.epochs.many: has no field many, since it is set to 50"),
        ("training={", "--set training: its value is not YAML"),
    ],
)
def test_a_setting_that_cannot_be_applied_is_named(setting: str, sentence: str) -> None:
    with pytest.raises(InvalidRunError) as refusal:
        with_settings(MANIFEST, [setting])
    assert sentence in str(refusal.value)
