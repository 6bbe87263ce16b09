"""A classifier that was killed anywhere and resumed equals one that never was, bit for bit, on the CPU."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import ExitCode, Reason, TerminationMessage
from modelyard_api.run_document import RunDocument
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.loop import guard
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.classification.task import ClassificationTask

from examples.digits.make_folders import make
from tests.training.trainings import Shelf, Stored, Trained, differences, forked, told_to_stop_at, train
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
END = Position(EPOCHS)


@dataclass(frozen=True)
class Reference:
    """A training that nobody disturbed."""

    document: RunDocument
    data: CheckedDataset
    trained: Trained


pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")


@pytest.fixture(scope="module", autouse=True)
def _one_cpu() -> Iterator[None]:
    """The same threads give the same sums here and in processes; two would only wait for each other."""
    allowed, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def _every_batch_counts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ASK_EVERY", 0.0)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("digits")
    make(made, images=TRAINED + VALIDATED, size=32)
    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Reference:
    """One undisturbed training, without workers, with a snapshot at every place of `KEPT`."""
    document = run_document(**SETTINGS, dataset={"path": str(folder), "format": "image-folder"})
    data = checked(document, tmp_path_factory.mktemp("checked"))
    assert (len(data.training), len(data.validation)) == (TRAINED, VALIDATED)
    wanted = {*KEPT.values(), END}
    trained = fit(document, data, tmp_path_factory.mktemp("reference") / "run", Shelf(wanted.__contains__))
    assert set(trained.stored) == wanted
    return Reference(document, data, trained)


def fit(document: RunDocument, data: CheckedDataset, folder: Path, shelf: Shelf, **options: Any) -> Trained:
    return train(document, data, folder, shelf, task=ClassificationTask, cpus=usable_cpus(), **options)


def checked(document: RunDocument, scratch: Path) -> CheckedDataset:
    """The data set of a run, as the run checks it."""
    progress = Progress(1, 1, 1)
    fetched = fetch(document.spec.dataset, Places(scratch), progress, cpus=2)
    return ClassificationTask(TaskContext(document, scratch, scratch, progress, cpus=2)).check(fetched)


def resumed(reference: Reference, start: Stored, folder: Path, workers: int = 0) -> Trained:
    """The rest of a training."""
    return fit(reference.document, reference.data, folder, Shelf(END.__eq__, start), workers=workers)


def assert_equal(trained: Trained, reference: Reference) -> None:
    """Same losses and metrics, same files, same numbers at the end."""
    assert trained.epochs == reference.trained.epochs
    assert trained.fit.best_epoch == reference.trained.fit.best_epoch
    names = {path.name for path in reference.trained.results.iterdir()}
    assert names == {"best.pt", "last.pt", "epoch2.pt"}
    assert {path.name for path in trained.results.iterdir()} == names
    for name in names:
        assert not differences(trained.weights(name), reference.trained.weights(name))
    assert not differences(trained.stored[END].state(), reference.trained.stored[END].state())


@pytest.mark.parametrize("where", KEPT)
def test_resumed_equals_never_killed(reference: Reference, where: str, tmp_path: Path) -> None:
    position = KEPT[where]
    workers = 2 if where == "within an accumulation" else 0
    trained = resumed(reference, reference.trained.stored[position], tmp_path, workers)
    assert trained.fit.resumed_from == position
    assert_equal(trained, reference)
    gradients = reference.trained.stored[position].state()["training"]["gradients"]
    assert bool(gradients) is (position.step % 2 == 1)


def test_two_workers_and_a_cache_train_what_none_trains(reference: Reference, tmp_path: Path) -> None:
    cached = reference.document.model_copy(update={"image_cache": "disk"})
    trained = fit(cached, reference.data, tmp_path, Shelf(END.__eq__), workers=2)
    assert_equal(trained, reference)


@pytest.mark.parametrize("place", [Position(1, 2), Position(1, STEPS)], ids=["training", "validating"])
def test_told_to_stop_it_ends_at_the_very_batch_and_loses_nothing(
    reference: Reference, place: Position, tmp_path: Path
) -> None:
    shelf = Shelf()
    with told_to_stop_at(place, shelf) as interruption:
        fit(reference.document, reference.data, tmp_path / "killed", shelf, interruption=interruption, workers=2)
    # Asked after this batch, it notices after the next, or in the validation.
    (position,) = shelf.stored
    assert position == (place if place.step == STEPS else Position(place.epochs, place.step + 1))
    assert_equal(resumed(reference, shelf.stored[position], tmp_path / "resumed"), reference)


def test_another_classification_does_not_go_on_from_it(reference: Reference, tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "training": {**SETTINGS["training"], "epochs": 1, "freezeEpochs": 0, "schedule": {"warmupEpochs": 0}},
    }
    start = reference.trained.stored[Position(1)]
    trained = fit(
        run_document(**settings, dataset={"path": "/nowhere", "format": "image-folder"}),
        reference.data,
        tmp_path,
        Shelf(start=start),
    )
    assert trained.fit.resumed_from is None
    assert trained.fit.notices[-1] == (
        "the checkpoint of epoch 1 is of another training (epochs 3, now 1), so the training began anew"
    )


def test_with_half_the_batch_it_goes_on_where_the_pictures_end(reference: Reference, tmp_path: Path) -> None:
    smaller = reference.document.model_copy(update={"attempt": 2, "batch_size": 2})
    start = reference.trained.stored[Position(1, 4)]
    trained = fit(smaller, reference.data, tmp_path, Shelf(Position(1, 10).__eq__, start))
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
    trained = fit(impatient, reference.data, tmp_path / "first", Shelf(start=start.holding(state)))
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2]
    assert list(trained.stored) == [Position(2)]
    again = fit(impatient, reference.data, tmp_path / "again", Shelf(start=trained.stored[Position(2)]))
    assert again.epochs == trained.epochs


def test_a_process_that_is_killed_after_a_checkpoint_is_made_up_for(reference: Reference, tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "dataset": reference.document.spec.dataset.to_json_object(),
        "artifacts": {"path": str(tmp_path / "out")},
        "resources": {"gpus": 0},
        "checkpoints": {"everyEpochs": 1},
    }
    first, second = (tmp_path / uid for uid in ("first", "second"))
    assert forked(first, run_document(**settings), kill_after="checkpoint of epoch 1 is safe") == -signal.SIGKILL
    again = run_document(**settings).model_copy(update={"attempt": 2})
    assert forked(second, again) == ExitCode.SUCCESS, (second / "log").read_text()
    message = TerminationMessage.model_validate_json((second / "termination-log").read_bytes())
    assert message.reason is Reason.COMPLETED
    assert message.resumed_from_epoch is not None
    for name in ("best.pt", "last.pt", "epoch2.pt"):
        published = torch.load(tmp_path / "out" / name, weights_only=True)
        assert not differences(published, reference.trained.weights(name)), name
