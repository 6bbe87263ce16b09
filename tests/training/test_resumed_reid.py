"""A re-identification that was killed anywhere and resumed equals one that never was, bit for bit, on the CPU."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import ExitCode
from modelyard_api.run_document import RunDocument
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.loop import guard
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.reid.task import ReidTask

from examples.animals.make_sightings import make
from tests.training.trainings import Shelf, Trained, differences, forked, told_to_stop_at, train
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
END = Position(EPOCHS)
FILES = ("best.pt", "last.pt")


@dataclass(frozen=True)
class Reference:
    """A training that nobody disturbed."""

    document: RunDocument
    data: CheckedDataset
    trained: Trained


pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")


@pytest.fixture(scope="module", autouse=True)
def _one_cpu_and_every_batch_counts() -> Iterator[None]:
    """The same threads give the same sums here and in processes; two would only wait for each other."""
    allowed, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {min(allowed)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ASK_EVERY", 0.0)
        yield
    os.sched_setaffinity(0, allowed)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """One undisturbed training, without workers, with a snapshot at every place of `KEPT`."""
    folder, scratch = tmp_path_factory.mktemp("sightings"), tmp_path_factory.mktemp("checked")
    make(folder, individuals=8, pictures=2, height=32)
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "market1501"})
    document = document.model_copy(update={"batch_size": document.spec.training.batch_size})
    progress = Progress(1, 1, 1)
    fetched = fetch(document.spec.dataset, Places(scratch), progress, cpus=2)
    data = ReidTask(TaskContext(document, scratch, scratch, progress, cpus=2)).check(fetched)
    assert len(data.training) == STEPS * document.batch_size
    wanted = {*KEPT.values(), END}
    trained = fit(document, data, tmp_path_factory.mktemp("reference") / "run", Shelf(wanted.__contains__))
    assert set(trained.stored) == wanted
    assert ["mAP" in metrics for _, metrics in trained.epochs] == [False, True, True]
    return Reference(document, data, trained)


def fit(document: RunDocument, data: CheckedDataset, folder: Path, shelf: Shelf, **options: Any) -> Trained:
    return train(document, data, folder, shelf, task=ReidTask, cpus=usable_cpus(), **options)


def assert_equal(trained: Trained, reference: Reference) -> None:
    """Same losses and metrics, same files, same numbers at the end."""
    assert trained.epochs == reference.trained.epochs
    assert {path.name for path in trained.results.iterdir()} == set(FILES)
    for name in FILES:
        assert not differences(trained.weights(name), reference.trained.weights(name))
    assert not differences(trained.stored[END].state(), reference.trained.stored[END].state())


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    position, workers = KEPT[where], 2 if where == "within an accumulation" else 0
    shelf = Shelf(END.__eq__, reference.trained.stored[position])
    trained = fit(reference.document, reference.data, tmp_path, shelf, workers=workers)
    assert trained.fit.resumed_from == position
    assert_equal(trained, reference)


def test_a_frozen_backbone_stays_as_it_is_and_then_learns(reference: Reference) -> None:
    started, thawed, ended = (
        reference.trained.stored[position].state()["training"]["model"]
        for position in (Position(0, 3), Position(1), END)
    )
    names = {name for name in started if not torch.equal(started[name], thawed[name])}
    assert names == {"backbone.classifier.weight", "backbone.classifier.bias"}
    assert not torch.equal(thawed["backbone.conv1.conv.weight"], ended["backbone.conv1.conv.weight"])


def test_told_to_stop_it_ends_at_the_next_batch_and_loses_nothing(reference: Reference, tmp_path: Path) -> None:
    shelf = Shelf()
    with told_to_stop_at(Position(1, 2), shelf) as interruption:
        fit(reference.document, reference.data, tmp_path / "killed", shelf, interruption=interruption)
    assert list(shelf.stored) == [Position(1, 3)]
    rest = Shelf(END.__eq__, shelf.stored[Position(1, 3)])
    assert_equal(fit(reference.document, reference.data, tmp_path / "resumed", rest), reference)


def test_with_other_batches_of_persons_it_begins_anew(reference: Reference, tmp_path: Path) -> None:
    block = reference.document.spec.reid
    assert block is not None
    sampler = block.sampler.model_copy(update={"num_cams": None})
    training = reference.document.spec.training.model_copy(update={"patience": 1})
    spec = reference.document.spec.model_copy(
        update={"reid": block.model_copy(update={"sampler": sampler}), "training": training}
    )
    other = reference.document.model_copy(update={"spec": spec})
    trained = fit(other, reference.data, tmp_path, Shelf(start=reference.trained.stored[Position(1)]))
    assert trained.fit.resumed_from is None
    assert "reid" in trained.fit.notices[-1]


def test_with_half_the_batch_the_same_pictures_come_in_the_same_order(reference: Reference, tmp_path: Path) -> None:
    smaller = reference.document.model_copy(update={"attempt": 2, "batch_size": 4})
    start = reference.trained.stored[Position(1, 3)]
    trained = fit(smaller, reference.data, tmp_path, Shelf(Position(1, 8).__eq__, start))
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2, 3]
    # 24 pictures were seen, in 3 batches: two more of 4 pictures are the 8th batch.
    assert trained.stored[Position(1, 8)].state()["training"]["seen"] == 32


def test_a_process_that_is_killed_after_a_checkpoint_is_made_up_for(reference: Reference, tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "dataset": reference.document.spec.dataset.to_json_object(),
        "artifacts": {"path": str(tmp_path / "out")},
        "resources": {"gpus": 0},
        "checkpoints": {"everyEpochs": 1},
    }
    document = run_document(**settings).model_copy(update={"batch_size": reference.document.batch_size})
    first, second = (tmp_path / uid for uid in ("first", "second"))
    assert forked(first, document, kill_after="checkpoint of epoch 1 is safe") == -signal.SIGKILL
    again = document.model_copy(update={"attempt": 2})
    assert forked(second, again) == ExitCode.SUCCESS, (second / "log").read_text()
    for name in FILES:
        published = torch.load(tmp_path / "out" / name, weights_only=True)
        assert not differences(published, reference.trained.weights(name)), name
