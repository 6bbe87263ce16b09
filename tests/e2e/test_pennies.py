"""Penny AI's four tasks at test size, side by side on the cluster: one bucket of coins, one table, four models."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from examples.pennies.make_pennies import make
from tests.e2e.training_runs import EXAMPLES, example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

EPOCHS = 2
CLASSES = {"side": 5, "orientation": 120, "date": 116, "mint": 4}


def test_all_four_are_trained_on_the_same_coins(yard: Yard, trainer_image: str, tmp_path: Path) -> None:
    """Applied as they are but for fewer coins and epochs."""
    make(tmp_path / "pennies", upright=100, turned=60, reverses=10)
    stories = [
        example(f"penny-{task}", EXAMPLES / f"penny-{task}-small.yaml")
        .for_epochs(EPOCHS)
        .having(trainer_image, "resources", "image")
        for task in CLASSES
    ]
    yard.store.upload(tmp_path / "pennies", stories[0].body["spec"]["dataset"]["s3"]["uri"])

    for run, (task, classes) in zip(yard.start(*stories), CLASSES.items(), strict=True):
        status = run.wait("Complete", 900)
        assert (status["progress"]["epoch"], status["dataset"]["classes"]) == (EPOCHS, classes)
        assert {each["name"].rpartition("_")[2] for each in status["artifacts"]} >= {"fp32.onnx", "int8.onnx"}
        folder = tmp_path / task
        yard.store.download(status["artifactsUri"], folder)
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
