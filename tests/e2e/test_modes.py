"""Weights handed from run to run on the cluster: pushed, fine-tuned, measured and exported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.tasks.classification.architecture import build

from examples.digits.make_folders import NAMES, make
from tests.e2e.training_runs import CLASSIFICATION, Story, example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

PICTURES, SIDE = 120, 32
DATASET = "s3://datasets/modes/v1/"
WEIGHTS = "s3://datasets/weights/digits-start/"


def story(name: str, trainer_image: str) -> Story:
    """The classification example on a few pictures, for one epoch."""
    changes: tuple[tuple[object, *tuple[str, ...]], ...] = (
        (trainer_image, "resources", "image"),
        ({"warmupEpochs": 0}, "training", "schedule"),
        ([{"format": "onnx"}], "export"),
        (["onnx"], "formatPriorities"),
    )
    told = example(name, CLASSIFICATION).from_dataset(DATASET).for_epochs(1)
    for value, *path in changes:
        told = told.having(value, *path)
    return told


def test_weights_go_from_a_bucket_through_three_runs(yard: Yard, trainer_image: str, tmp_path: Path) -> None:
    """A pushed state dict is fine-tuned; another run waits for that, measures it, and a third one exports it."""
    make(tmp_path / "digits", images=PICTURES, size=SIDE)
    yard.store.upload(tmp_path / "digits", DATASET)
    tuning = story("modes-tuned", trainer_image)
    spec = tuning.body["spec"]
    start = tmp_path / "start.pth"
    network = build(spec["model"]["architecture"], len(NAMES) + 3, spec["training"]["imageSize"])
    torch.save(network.backbone.state_dict(), start)
    digest = sha256(start)
    # As `modelyard weights push` leaves it, which has tests of its own.
    yard.store.write(f"{WEIGHTS}{digest}/start.pth", start.read_bytes())
    pretrained = {"s3": {**spec["dataset"]["s3"], "uri": WEIGHTS}, "sha256": digest}
    tuning = tuning.having(pretrained, "model", "pretrained").having(True, "training", "freezeBackbone")

    def after(name: str, mode: str) -> Story:
        return story(name, trainer_image).having({"run": tuning.name}, "model", "from").having(mode, "mode")

    tuned, measured, exported = yard.start(
        tuning, after("modes-measured", "evaluate"), after("modes-exported", "export")
    )
    waiting = measured.until("a reason to wait", lambda status: "reason" in status)
    assert (waiting["phase"], waiting["reason"]) == ("Pending", "WaitingForRun")

    first = tuned.wait("Complete", 600)
    metrics = {each["name"]: each["value"] for each in first["metrics"]}
    for run, mode in ((measured, "evaluate"), (exported, "export")):
        status = run.wait("Complete", 600)
        assert {each["name"]: each["value"] for each in status["metrics"]} == metrics
        assert (status["progress"]["display"], status["progress"]["percentDisplay"]) == ("-", "100%")
        assert len(status["attempts"]) == 1
        names = set(parse_checksums(yard.store.read(f"{status['artifactsUri']}/SHA256SUMS").decode()))
        assert {"run.json", "report.html"} <= names
        assert ({"best.pt", "best.onnx"} <= names) is (mode == "export")
    assert exported.status["primaryArtifact"] == "best.onnx"
