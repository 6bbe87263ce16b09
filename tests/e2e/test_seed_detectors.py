"""The detectors of Trackie and WatchMe at test size, side by side on the cluster: COCO, and folders for each split."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from modelyard_cluster.cache import REPOSITORY

from examples.digits.make_dataset import NAMES, make
from examples.digits.make_layouts import as_coco, as_split
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.training_runs import example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

EPOCHS = {"trackie": 2, "watchme-yolo": 2, "watchme-yolo-advanced": 8}
KILLED = "watchme-yolo-advanced"
"""With SIGKILL, which leaves it no last words, once its first checkpoint is safe."""


def test_the_detectors_of_the_seeds_are_trained_on_data_as_their_users_keep_it(
    yard: Yard, trainer_image: str, tmp_path: Path
) -> None:
    """Applied as they are but for fewer epochs; what cannot be made here is skipped with a sentence.

    One that is killed in the midst of it goes on from where it was.
    """
    make(tmp_path / "digits", images=60, size=96)
    as_coco(tmp_path / "digits", tmp_path / "coco")
    as_split(tmp_path / "digits", tmp_path / "split")
    data = {"trackie": "coco", "watchme-yolo": "split", "watchme-yolo-advanced": "split"}
    stories = {
        name: example(f"{name}-here", REPOSITORY / "examples" / f"{name}-small.yaml")
        .for_epochs(EPOCHS[name])
        .having({"everyEpochs": 1}, "checkpoints")
        .having(trainer_image, "resources", "image")
        for name in data
    }
    uris = {data[name]: story.body["spec"]["dataset"]["s3"]["uri"] for name, story in stories.items()}
    for layout, uri in uris.items():
        yard.store.upload(tmp_path / layout, uri)

    runs = dict(zip(stories, yard.start(*stories.values()), strict=True))
    runs[KILLED].until_checkpoint(1, seconds=600)
    runs[KILLED].kill_container()

    for name, layout in data.items():
        status = runs[name].wait("Complete", 900)
        assert_nothing_lost(yard, runs[name], status, attempts=2 if name == KILLED else 1, epochs=EPOCHS[name])
        if name == KILLED:
            first, second = status["attempts"]
            assert (first["reason"], first["exitCode"], status["retries"]) == ("InternalError", 137, 1)
            assert second["resumedFromEpoch"] >= 1
        assert status["dataset"]["classes"] == 10
        pictures = (status["dataset"]["trainingImages"], status["dataset"]["validationImages"])
        assert pictures == ((48, 12) if layout == "coco" else (36, 12))
        folder = tmp_path / name
        yard.store.download(status["artifactsUri"], folder)
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        published = {path.name for path in folder.iterdir()}
        assert {"best.pt", "last.pt", "best.onnx"} <= published
        record = json.loads((folder / "run.json").read_text())
        judged = {export["name"]: export for export in status["exports"]}["best.onnx"]
        assert judged["metric"].startswith("mAP50 ")
        assert abs(float(judged["drop"])) < 0.01
        if layout == "split":
            assert {"test/mAP50", "test/mAP50-95", "test/precision", "test/recall"} <= set(record["metrics"])
            assert set(record["metricsPerClass"]) <= set(NAMES)
            assert all({"mAP50", "precision"} <= set(values) for values in record["metricsPerClass"].values())
        if name == "trackie":
            assert {"best.torchscript", "best.gguf"} <= published
            assert "TensorRT is not in this image" in str(status)
