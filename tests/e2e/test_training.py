"""The example, trained for real: what `make demo` shows, with the epochs that it takes to be good."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.spec import DatasetFormat
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.model import FetchedDataset
from modelyard_trainer.files import parse_checksums

from examples.digits.make_dataset import make
from tests.e2e.detector import Detector, labelled, right_ones
from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, condition_of, epochs_done
from tests.e2e.long_training import EPOCHS, SEED, Begun
from tests.e2e.training_runs import example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

GOOD_ENOUGH = 0.85
TRAINING_SECONDS_AT_MOST = 40 * 60
FRESH_PICTURES, FRESH_SEED, SIDE = 20, 4711, 160
PUBLISHED = {
    "best.pt", "last.pt", "best.onnx", "best.torchscript", "run.json", "metrics.csv", "labels.json", "split.json",
    "report.html", "training.log", "README.md",
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """The example's run once it is complete.

    Attributes:
        dataset: the folder that was uploaded.
        folder: what was downloaded from the store.
        record: the published run.json.
    """

    run: LiveRun
    status: Object
    dataset: Path
    folder: Path
    record: Mapping[str, Any]


@pytest.fixture(scope="module")
def trained(yard: Yard, long_training: Begun, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """examples/digits.yaml with more epochs, waited for, and its artifacts downloaded."""
    folder = tmp_path_factory.mktemp("artifacts")
    status = long_training.run.wait("Complete", TRAINING_SECONDS_AT_MOST)
    yard.store.download(status["artifactsUri"], folder)
    record = json.loads((folder / "run.json").read_text())
    return Trained(long_training.run, status, long_training.dataset, folder, record)


def test_the_example_learns(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """12 epochs of the example reach mAP50 0.85; how long they took is printed."""
    metrics = {each["name"]: float(each["value"]) for each in trained.status["metrics"]}

    with capsys.disabled():
        seconds = trained.record["trainingSeconds"]
        best = trained.status["best"]
        print(  # noqa: T201 - the figure that the issue asks for
            f"\n{EPOCHS} epochs in {seconds / 60:.1f} minutes of training beside others, mAP50 {metrics['mAP50']:.3f}; "
            f"best epoch {best['epoch']}"
        )
    assert metrics["mAP50"] >= GOOD_ENOUGH


def test_status_moves_through_every_epoch(yard: Yard, trained: Trained) -> None:
    """Whoever watches the run sees every epoch, and neither epochs nor percent ever fall."""
    statuses = yard.watched.statuses(trained.run.name)
    epochs = [epochs_done(status) for status in statuses]
    percents = [status.get("progress", {}).get("percent", 0) for status in statuses]

    assert epochs == sorted(epochs)
    assert set(epochs) == set(range(EPOCHS + 1))
    assert percents == sorted(percents)
    assert trained.status["currentAttempt"] == 1


def test_a_person_sees_within_epochs_too(yard: Yard, trained: Trained) -> None:
    """Between two epochs the percentage moves, and time left is told."""
    statuses = yard.watched.statuses(trained.run.name)
    within = {status["progress"]["percent"] for status in statuses if epochs_done(status) == EPOCHS // 2}

    assert len(within) > 1
    assert any(status["progress"].get("eta") for status in statuses if "progress" in status)


def test_the_artifacts_match_their_checksums(trained: Trained) -> None:
    """`sha256sum -c SHA256SUMS` holds for what was downloaded, and status names the same files with the same sums."""
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=trained.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = parse_checksums((trained.folder / "SHA256SUMS").read_text())
    files = {path.relative_to(trained.folder).as_posix() for path in trained.folder.rglob("*") if path.is_file()}

    assert files - {"SHA256SUMS"} == set(listed)
    assert set(listed) >= PUBLISHED
    assert {each["name"]: each["sha256"] for each in trained.status["artifacts"]} == listed
    assert trained.status["primaryArtifact"] == "best.onnx"
    assert condition_of(trained.status, "ArtifactsUploaded")["status"] == "True"


def test_the_onnx_file_finds_digits(trained: Trained, tmp_path: Path) -> None:
    """The published ONNX runs in onnxruntime and finds most digits in pictures that nobody has trained on."""
    make(tmp_path / "fresh", images=FRESH_PICTURES, size=SIDE, seed=FRESH_SEED)
    detector = Detector(trained.folder / "best.onnx")
    right = wanted = claimed = 0
    for picture in sorted((tmp_path / "fresh" / "images").iterdir()):
        truth = labelled(tmp_path / "fresh" / "labels" / f"{picture.stem}.txt", SIDE)
        found = detector.find(picture)
        right, wanted, claimed = right + right_ones(found, truth), wanted + len(truth), claimed + len(found)

    assert right / wanted >= 0.7
    assert right / claimed >= 0.6


def test_the_weights_load_as_weights_only(trained: Trained) -> None:
    """best.pt and last.pt hold tensors and plain values, which torch.load reads with weights_only=True."""
    for name, epoch in (("best.pt", trained.status["best"]["epoch"]), ("last.pt", EPOCHS)):
        content = torch.load(trained.folder / name, map_location="cpu", weights_only=True)

        assert (content["architecture"], content["epoch"], len(content["names"])) == ("yolov5nu", epoch, 10)
        assert all(
            torch.isfinite(tensor).all() for tensor in content["state_dict"].values() if tensor.is_floating_point()
        )


def test_every_export_was_compared_with_pytorch(trained: Trained) -> None:
    """run.json tells how far each exported file is from PyTorch, on how many pictures, and that it is close enough."""
    assert [each["format"] for each in trained.record["exports"]] == ["onnx", "torchscript"]
    for each in trained.record["exports"]:
        assert each["picturesCompared"] > 0
        assert 0 <= each["largestDifference"] <= each["tolerance"]


def test_the_split_is_that_of_this_machine(trained: Trained) -> None:
    """The pod has set aside the very pictures for validation that this machine would, and says which."""
    here = check_dataset(
        FetchedDataset(trained.dataset, {}, "here"),
        DatasetFormat.YOLO,
        validation_split=0.2,
        fraction=1.0,
        seed=SEED,
        threads=2,
    )
    split = json.loads((trained.folder / "split.json").read_text())

    assert split["validation"] == [picture.name for picture in here.validation]
    assert split["training"] == [picture.name for picture in here.training]
    assert trained.status["dataset"]["validationImages"] == len(here.validation) == 160


def test_an_architecture_unknown_to_ultralytics_is_refused_with_the_nearest(yard: Yard, trainer_image: str) -> None:
    """A misspelt architecture fails before anything is fetched, and the message names what was probably meant."""
    story = example("architecture-misspelt").having(trainer_image, "resources", "image").of("yolov5nn")
    (run,) = yard.start(story)
    status = run.wait("Failed")

    assert status["reason"] == "ArchitectureUnknown"
    assert "yolov5nu" in status["message"]
    assert len(status["attempts"]) == 1
