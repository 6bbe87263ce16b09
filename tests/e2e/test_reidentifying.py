"""The re-identification example, trained for real in the image that every task is trained in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from examples.animals.make_sightings import QUERY, make
from tests.e2e.training_runs import REID, example
from tests.e2e.yard import Yard

pytestmark = [pytest.mark.training, pytest.mark.in_turn("our own examples")]

EPOCHS, ANIMALS = 12, 40
CHANCE = 1 / (ANIMALS / 2)


def test_the_reid_example_learns_and_its_onnx_file_embeds_animals(
    yard: Yard, trainer_image: str, tmp_path: Path
) -> None:
    """Applied as it is but for fewer epochs and animals, it finds them again three times as often as chance would."""
    dataset, folder = tmp_path / "v1", tmp_path / "artifacts"
    make(dataset, individuals=ANIMALS)
    story = example("animals-found-again", REID).for_epochs(EPOCHS).having(trainer_image, "resources", "image")
    yard.store.upload(dataset, story.body["spec"]["dataset"]["s3"]["uri"])
    (run,) = yard.start(story)

    status = run.wait("Complete", 600)

    metrics = {each["name"]: float(each["value"]) for each in status["metrics"]}
    assert metrics["rank1"] >= 3 * CHANCE
    assert status["progress"]["epoch"] == EPOCHS
    yard.store.download(status["artifactsUri"], folder)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    session = onnxruntime.InferenceSession(folder / "best.onnx")
    pictures = [np.asarray(Image.open(each), np.float32) / 255 for each in sorted((dataset / QUERY).glob("*.jpg"))[:4]]
    (embeddings,) = session.run(None, {session.get_inputs()[0].name: np.stack(pictures).transpose(0, 3, 1, 2)})
    assert embeddings.shape == (4, 512)
