"""The face-id example, trained for real on the cluster: what it publishes tells animals apart that it never saw."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from examples.animals.make_identities import make
from tests.e2e.training_runs import FACE_ID, example
from tests.e2e.yard import Yard

pytestmark = [pytest.mark.training, pytest.mark.in_turn("our own examples")]

EPOCHS, SIDE = 6, 32


def test_the_face_id_example_learns_and_its_onnx_file_tells_unknown_animals_apart(
    yard: Yard, trainer_image: str, tmp_path: Path
) -> None:
    """Applied as it is but for fewer animals, pixels and epochs."""
    dataset, folder = tmp_path / "v1", tmp_path / "artifacts"
    make(dataset, identities=40, pictures=12, size=SIDE)
    story = example("animals-told-apart", FACE_ID).for_epochs(EPOCHS).having(trainer_image, "resources", "image")
    story = story.having(SIDE, "training", "imageSize").having(16, "training", "batchSize")
    story = story.having({"share": 0.3}, "faceId", "heldOutIdentities").having(
        1, "training", "schedule", "warmupEpochs"
    )
    yard.store.upload(dataset, story.body["spec"]["dataset"]["s3"]["uri"])
    (run,) = yard.start(story)

    status = run.wait("Complete", 600)

    metrics = {each["name"]: float(each["value"]) for each in status["metrics"]}
    assert metrics["verification/AUC"] >= 0.6
    assert status["best"]["metric"] == "top1"
    yard.store.download(status["artifactsUri"], folder)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    header = (folder / "metrics.csv").read_text().splitlines()[0]
    assert header == "epoch,lr,train_loss,train_top1,train_top5,val_loss,val_top1,val_top5"
    names = json.loads((folder / "split.json").read_text())["heldOut"]
    pictures = [np.asarray(Image.open(dataset / name).convert("RGB"), np.float32) / 255 for name in names]
    session = onnxruntime.InferenceSession(folder / "best.onnx")
    (embeddings,) = session.run(["embeddings"], {"images": np.stack(pictures).transpose(0, 3, 1, 2)})
    cosines, whom = embeddings @ embeddings.T, np.array([name.split("/")[0] for name in names])
    same = whom[:, None] == whom
    np.fill_diagonal(same, False)
    assert cosines[same].mean() > cosines[whom[:, None] != whom].mean() + 0.03
