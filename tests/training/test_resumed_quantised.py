"""Training in 8 bits: killed anywhere and resumed it equals one that never was; its file is worth what it measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.classification.task import ClassificationTask

from examples.digits.make_folders import make
from tests.training.resuming import Reference, undisturbed
from tests.training.trainings import Shelf
from tests.unit.trainer.datasets import run_document

FLOAT, LATER = 2, 2
SETTINGS: dict[str, Any] = {
    "task": "classification",
    "model": {"architecture": "test_resnet"},
    "training": {
        "epochs": FLOAT,
        "batchSize": 4,
        "gradientAccumulation": 2,
        "imageSize": 32,
        "optimizer": {"learningRate": 3e-3},
        "schedule": {"warmupEpochs": 0},
        "emaDecay": 0.9,
        "seed": 3,
        "savePeriod": 1,
        "quantization": {"epochs": LATER, "learningRateFactor": 0.1},
    },
    "classification": {"augment": {"mixup": 0.4}, "dropout": 0.3},
    "export": [{"format": "onnx", "precision": "int8", "qat": True, "maxMetricDrop": 1}],
}
KEPT = {
    "before it begins": Position(FLOAT),
    "within an accumulation": Position(FLOAT, 3),
    "where ranges begin to rest": Position(FLOAT + 1),
    "before the last validation": Position(FLOAT + 1, 6),
}
pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, one_cpu_and_every_batch_counts: None) -> Reference:
    folder = tmp_path_factory.mktemp("digits")
    make(folder, images=29, size=32)
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "image-folder"})
    files = ("best.pt", "last.pt", "best-qat.pt", "epoch1.pt", "epoch2.pt")
    return undisturbed(ClassificationTask, document, tmp_path_factory.mktemp("reference"), KEPT.values(), files)


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    reference.assert_resumes(KEPT[where], tmp_path, workers=0)


def test_told_to_stop_it_loses_nothing(reference: Reference, tmp_path: Path) -> None:
    reference.assert_stops_and_goes_on(Position(FLOAT, 2), Position(FLOAT, 3), tmp_path)


def test_its_epochs_count_and_the_best_weights_stay_those_before_it(reference: Reference) -> None:
    fit = reference.trained.fit
    assert [epoch.number for epoch in fit.epochs] == [1, 2, 3, 4]
    assert fit.best_epoch <= FLOAT < (fit.best_quantised_epoch or 0)
    assert max(report.epochs for report in reference.trained.reports) == FLOAT + LATER
    assert reference.trained.reports[-1].epoch == FLOAT + LATER
    last = dict(fit.epochs[-1].metrics)
    assert last["lr"] == pytest.approx(3e-3 * 0.1 * 0.01)
    best = reference.trained.weights("best-qat.pt")
    assert best["metrics"] == fit.epochs[best["epoch"] - 1].metrics
    assert len(best["scheme"]["layers"]) == 16


def test_another_number_of_epochs_in_8_bits_is_another_training(reference: Reference, tmp_path: Path) -> None:
    training = {**SETTINGS["training"], "epochs": FLOAT, "quantization": {"epochs": 1, "learningRateFactor": 0.1}}
    other = run_document(**{**SETTINGS, "training": training}, dataset={"path": "/nowhere", "format": "image-folder"})
    trained = reference.fit(tmp_path, Shelf(start=reference.trained.stored[Position(FLOAT, 3)]), other)
    assert trained.fit.resumed_from is None
    assert "is of another training (quantization " in trained.fit.notices[-1]
