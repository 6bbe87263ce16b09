"""A classifier that was killed anywhere and resumed equals one that never was, bit for bit, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.classification.task import ClassificationTask

from examples.digits.make_folders import make
from tests.training.resuming import EXACT, Reference, undisturbed
from tests.training.trainings import Shelf
from tests.unit.trainer.datasets import run_document

TRAINED, VALIDATED, STEPS, EPOCHS = 23, 6, 6, 3
"""Pictures to train and to validate on; batches of an epoch, the last of which is smaller; epochs."""
SETTINGS: dict[str, Any] = {
    "task": "classification",
    "model": {"architecture": "test_resnet"},
    "training": {
        "epochs": EPOCHS,
        "batchSize": 4,
        "gradientAccumulation": 2,
        "imageSize": 32,
        "optimizer": {"name": "AdamW", "learningRate": 3e-3, "beta2": 0.99},
        "schedule": {"warmupEpochs": 1.5},
        "gradientClip": 1.0,
        "emaDecay": 0.9,
        "seed": 3,
        "savePeriod": 2,
        "freeze": 2,
        "freezeEpochs": 1,
    },
    "classification": {
        "augment": {"cropArea": 0.5, "randAugment": {}, "mixup": 0.4},
        "balance": "sampling",
        "labelSmoothing": 0.1,
        "dropout": 0.3,
    },
}
KEPT = {
    "in the warm-up": Position(0, 3),
    "at the end of an epoch": Position(1),
    "within an accumulation": Position(1, 3),
    "between two steps": Position(1, 4),
    "before a validation": Position(2, STEPS),
}
pytestmark = EXACT


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, one_cpu_and_every_batch_counts: None) -> Reference:
    folder = tmp_path_factory.mktemp("digits")
    make(folder, images=TRAINED + VALIDATED, size=32)
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "image-folder"})
    files = ("best.pt", "last.pt", "epoch2.pt")
    found = undisturbed(ClassificationTask, document, tmp_path_factory.mktemp("reference"), KEPT.values(), files)
    assert (len(found.data.training), len(found.data.validation)) == (TRAINED, VALIDATED)
    return found


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    position = KEPT[where]
    reference.assert_resumes(position, tmp_path, workers=2 if where == "within an accumulation" else 0)
    gradients = reference.trained.stored[position].state()["training"]["gradients"]
    assert bool(gradients) is (position.step % 2 == 1)


def test_two_workers_and_a_cache_train_what_none_trains(reference: Reference, tmp_path: Path) -> None:
    cached = reference.document.model_copy(update={"image_cache": "disk"})
    reference.assert_equal(reference.fit(tmp_path, Shelf(reference.end.__eq__), cached, workers=2))


@pytest.mark.parametrize(
    ("place", "kept"),
    # Asked after this batch, it notices after the next, or in the validation.
    [(Position(1, 2), Position(1, 3)), (Position(1, STEPS), Position(1, STEPS))],
    ids=["training", "validating"],
)
def test_told_to_stop_it_ends_at_the_very_batch_and_loses_nothing(
    reference: Reference, place: Position, kept: Position, tmp_path: Path
) -> None:
    reference.assert_stops_and_goes_on(place, kept, tmp_path, workers=2)


def test_another_classification_does_not_go_on_from_it(reference: Reference, tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "training": {**SETTINGS["training"], "epochs": 1, "freezeEpochs": 0, "schedule": {"warmupEpochs": 0}},
    }
    start = reference.trained.stored[Position(1)]
    other = run_document(**settings, dataset={"path": "/nowhere", "format": "image-folder"})
    trained = reference.fit(tmp_path, Shelf(start=start), other)
    assert trained.fit.resumed_from is None
    assert trained.fit.notices[-1] == (
        "the checkpoint of epoch 1 is of another training (epochs 3, now 1), so the training began anew"
    )


def test_with_half_the_batch_it_goes_on_where_the_pictures_end(reference: Reference, tmp_path: Path) -> None:
    smaller = reference.document.model_copy(update={"attempt": 2, "batch_size": 2})
    start = reference.trained.stored[Position(1, 4)]
    trained = reference.fit(tmp_path, Shelf(Position(1, 10).__eq__, start), smaller)
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2, 3]
    assert trained.epochs[0] == reference.trained.epochs[0]
    # 16 pictures were seen, in 4 batches: two more of 2 pictures are the 10th batch.
    assert trained.stored[Position(1, 10)].state()["training"]["seen"] == 20


def test_where_patience_ends_the_training_its_end_is_kept(reference: Reference, tmp_path: Path) -> None:
    spec = reference.document.spec
    impatient = reference.document.model_copy(
        update={"spec": spec.model_copy(update={"training": spec.training.model_copy(update={"patience": 1})})}
    )
    start = reference.trained.stored[Position(1)]
    state = start.state()
    state["training"] |= {"best": 2.0, "best_epoch": 1}
    trained = reference.fit(tmp_path / "first", Shelf(start=start.holding(state)), impatient)
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2]
    assert list(trained.stored) == [Position(2)]
    again = reference.fit(tmp_path / "again", Shelf(start=trained.stored[Position(2)]), impatient)
    assert again.epochs == trained.epochs


def test_a_process_that_is_killed_after_a_checkpoint_is_made_up_for(reference: Reference, tmp_path: Path) -> None:
    reference.assert_outlives_a_kill(SETTINGS, tmp_path)
