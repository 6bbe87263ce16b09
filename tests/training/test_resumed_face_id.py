"""An identifier that was killed anywhere and resumed equals one that never was, bit for bit, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.face_id.task import FaceIdTask

from examples.digits.make_folders import make
from tests.training.resuming import EXACT, Reference, undisturbed
from tests.training.trainings import Shelf
from tests.unit.trainer.datasets import run_document

PICTURES, STEPS, EPOCHS = 60, 6, 3
"""Of the data set; batches of an epoch, the last of which is smaller; epochs."""
SETTINGS: dict[str, Any] = {
    "task": "face-id",
    "model": {"architecture": "test_resnet"},
    "training": {
        "epochs": EPOCHS,
        "batchSize": 7,
        "gradientAccumulation": 2,
        "imageSize": 32,
        "optimizer": {"name": "AdamW", "learningRate": 3e-3},
        "schedule": {"warmupEpochs": 1.5},
        "gradientClip": 5.0,
        "emaDecay": 0.9,
        "freeze": 1,
        "freezeEpochs": 1,
        "seed": 3,
    },
    "faceId": {
        "scale": 16,
        "embeddingSize": 16,
        "dropout": 0.2,
        "heldOutIdentities": {"count": 2},
        "augment": {"cropArea": 0.5, "randAugment": {}},
    },
}
KEPT = {
    "in the warm-up": Position(0, 3),
    "at the end of an epoch": Position(1),
    "within an accumulation": Position(1, 3),
    "before a validation": Position(2, STEPS),
}
pytestmark = EXACT


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, one_cpu_and_every_batch_counts: None) -> Reference:
    folder = tmp_path_factory.mktemp("digits")
    make(folder, images=PICTURES, size=32)
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "image-folder"})
    found = undisturbed(FaceIdTask, document, tmp_path_factory.mktemp("reference"), KEPT.values())
    assert -(-len(found.data.training) // found.document.batch_size) == STEPS
    assert len(found.data.training) % found.document.batch_size > 1
    return found


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    reference.assert_resumes(KEPT[where], tmp_path, workers=2 if where == "within an accumulation" else 0)


def test_told_to_stop_it_ends_at_the_next_batch_and_loses_nothing(reference: Reference, tmp_path: Path) -> None:
    reference.assert_stops_and_goes_on(Position(1, 2), Position(1, 3), tmp_path)


def test_with_another_head_it_begins_anew(reference: Reference, tmp_path: Path) -> None:
    block = reference.document.spec.face_id
    assert block is not None
    training = reference.document.spec.training.model_copy(update={"epochs": EPOCHS, "patience": 1})
    spec = reference.document.spec.model_copy(
        update={"face_id": block.model_copy(update={"scale": 30.0}), "training": training}
    )
    other = reference.document.model_copy(update={"spec": spec})
    trained = reference.fit(tmp_path, Shelf(start=reference.trained.stored[Position(1)]), other)
    assert trained.fit.resumed_from is None
    assert "faceId" in trained.fit.notices[-1]
    assert trained.fit.notices[-1].endswith("so the training began anew")


def test_a_process_that_is_killed_after_a_checkpoint_is_made_up_for(reference: Reference, tmp_path: Path) -> None:
    reference.assert_outlives_a_kill(SETTINGS, tmp_path)
