"""The classification example, trained for real in the image that detection is trained in, too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from examples.digits.make_folders import make
from tests.e2e.training_runs import CLASSIFICATION, example
from tests.e2e.yard import Yard

pytestmark = [pytest.mark.training, pytest.mark.in_turn("our own examples")]

EPOCHS = 5


def test_the_classification_example_learns_and_its_onnx_file_reads_digits(
    yard: Yard, trainer_image: str, tmp_path: Path
) -> None:
    """Applied as it is but for fewer epochs, it tells digits apart, on the cluster and from its published file."""
    dataset, folder = tmp_path / "v1", tmp_path / "artifacts"
    make(dataset)
    story = example("digits-classified", CLASSIFICATION).for_epochs(EPOCHS).having(trainer_image, "resources", "image")
    yard.store.upload(dataset, story.body["spec"]["dataset"]["s3"]["uri"])
    (run,) = yard.start(story)

    status = run.wait("Complete", 600)

    metrics = {each["name"]: float(each["value"]) for each in status["metrics"]}
    assert metrics["macroF1"] >= 0.9
    assert status["progress"]["epoch"] == EPOCHS
    yard.store.download(status["artifactsUri"], folder)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    session = onnxruntime.InferenceSession(folder / "best.onnx")
    pictures = sorted(dataset.glob("*/*.png"))[::20]
    batch = np.stack([np.asarray(Image.open(each).convert("RGB"), np.float32) / 255 for each in pictures])
    (scores,) = session.run(None, {session.get_inputs()[0].name: batch.transpose(0, 3, 1, 2)})
    names = json.loads((folder / "labels.json").read_text())
    right = sum(names[str(best)] == each.parent.name for best, each in zip(scores.argmax(1), pictures, strict=True))
    assert right / len(pictures) >= 0.9
