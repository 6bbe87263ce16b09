"""A re-identification that was killed anywhere and resumed equals one that never was, bit for bit, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.reid.task import ReidTask

from examples.animals.make_sightings import make
from tests.training.resuming import EXACT, Reference, undisturbed
from tests.training.trainings import Shelf
from tests.unit.trainer.datasets import run_document

STEPS, EPOCHS = 6, 3
"""Batches of an epoch, of two animals and four pictures each; epochs, of which the first is not measured."""
SETTINGS: dict[str, Any] = {
    "task": "reid",
    "model": {"architecture": "osnet_x0_25"},
    "training": {
        "epochs": EPOCHS,
        "batchSize": 8,
        "gradientAccumulation": 2,
        "optimizer": {"name": "AdamW", "learningRate": 3e-3, "amsgrad": True, "eps": 1e-7},
        "schedule": {"warmupEpochs": 0.5, "restartEpochs": 2, "etaMin": 1e-5},
        "gradientClip": 5.0,
        "emaDecay": 0.9,
        "evaluateEvery": 2,
        "freezeBackbone": True,
        "freezeEpochs": 1,
        "seed": 3,
    },
    "reid": {
        "height": 32,
        "width": 16,
        "augment": {"colorJitter": {"hue": 0.1}, "randomGrayScale": 0.3, "randomErase": 0.5},
        "sampler": {"numCams": 2},
        "ranks": [1, 5],
    },
}
KEPT = {
    "while the backbone is frozen": Position(0, 3),
    "before anything was measured": Position(1),
    "within an accumulation": Position(1, 3),
    "before a validation": Position(2, STEPS),
}
pytestmark = EXACT


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, one_cpu_and_every_batch_counts: None) -> Reference:
    folder = tmp_path_factory.mktemp("sightings")
    make(folder, individuals=8, pictures=2, height=32)
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "market1501"})
    found = undisturbed(ReidTask, document, tmp_path_factory.mktemp("reference"), KEPT.values())
    assert len(found.data.training) == STEPS * found.document.batch_size
    assert ["mAP" in metrics for _, metrics in found.trained.epochs] == [False, True, True]
    return found


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    reference.assert_resumes(KEPT[where], tmp_path, workers=2 if where == "within an accumulation" else 0)


def test_a_frozen_backbone_stays_as_it_is_and_then_learns(reference: Reference) -> None:
    started, thawed, ended = (
        reference.trained.stored[position].state()["training"]["model"]
        for position in (Position(0, 3), Position(1), reference.end)
    )
    names = {name for name in started if not torch.equal(started[name], thawed[name])}
    assert names == {"backbone.classifier.weight", "backbone.classifier.bias"}
    assert not torch.equal(thawed["backbone.conv1.conv.weight"], ended["backbone.conv1.conv.weight"])


def test_told_to_stop_it_ends_at_the_next_batch_and_loses_nothing(reference: Reference, tmp_path: Path) -> None:
    reference.assert_stops_and_goes_on(Position(1, 2), Position(1, 3), tmp_path)


def test_with_other_batches_of_persons_it_begins_anew(reference: Reference, tmp_path: Path) -> None:
    block = reference.document.spec.reid
    assert block is not None
    sampler = block.sampler.model_copy(update={"num_cams": None})
    training = reference.document.spec.training.model_copy(update={"patience": 1})
    spec = reference.document.spec.model_copy(
        update={"reid": block.model_copy(update={"sampler": sampler}), "training": training}
    )
    other = reference.document.model_copy(update={"spec": spec})
    trained = reference.fit(tmp_path, Shelf(start=reference.trained.stored[Position(1)]), other)
    assert trained.fit.resumed_from is None
    assert "reid" in trained.fit.notices[-1]


def test_with_half_the_batch_the_same_pictures_come_in_the_same_order(reference: Reference, tmp_path: Path) -> None:
    smaller = reference.document.model_copy(update={"attempt": 2, "batch_size": 4})
    start = reference.trained.stored[Position(1, 3)]
    trained = reference.fit(tmp_path, Shelf(Position(1, 8).__eq__, start), smaller)
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2, 3]
    # 24 pictures were seen, in 3 batches: two more of 4 pictures are the 8th batch.
    assert trained.stored[Position(1, 8)].state()["training"]["seen"] == 32


def test_a_process_that_is_killed_after_a_checkpoint_is_made_up_for(reference: Reference, tmp_path: Path) -> None:
    reference.assert_outlives_a_kill(SETTINGS, tmp_path)
