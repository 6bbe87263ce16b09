"""Killed anywhere and resumed equals never killed, bit for bit, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import TrainingRunSpec
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.detection.offline import prepare

from tests.training.trainings import Shelf, Stored, Trained, differences, told_to_stop_at, train
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.test_dataset_check import check

TRAINED, VALIDATED = 18, 5
"""Pictures. They are more than SGD's mosaics are made of, and AdamW's last batch is not full."""
STEPS = {"SGD": 9, "AdamW": 5}
"""Batches an epoch."""
SETTINGS: dict[str, dict[str, Any]] = {
    # Two heads, whose losses change their weights with the epochs, and all that draws random numbers.
    "SGD": {
        "model": {"architecture": "yolo26n"},
        "training": {
            "epochs": 3,
            "batchSize": 2,
            "gradientAccumulation": 4,
            "imageSize": 64,
            "optimizer": {"name": "SGD", "learningRate": 1e-2},
            "schedule": {"warmupEpochs": 1.5},
            "seed": 3,
            "workers": 2,
            "savePeriod": 2,
        },
        "detection": {
            "augment": {"mosaic": 0.8, "closeMosaic": 1, "mixup": 0.5, "cutmix": 0.3, "multiScale": 0.5, "bgr": 0.2}
        },
    },
    "AdamW": {
        "model": {"architecture": "yolov5nu"},
        "training": {
            "epochs": 3,
            "batchSize": 4,
            "gradientAccumulation": 2,
            "imageSize": 64,
            "optimizer": {"name": "AdamW", "learningRate": 2e-3},
            "schedule": {"name": "linear", "warmupEpochs": 0},
            "seed": 4,
            "cache": "memory",
        },
        "detection": {"augment": {"closeMosaic": 0, "mixup": 0.3}},
    },
}
KEPT = {
    "SGD": {
        "in the warm-up, within an accumulation": Position(0, 6),
        "at the end of an epoch, within an accumulation": Position(1),
        "within an epoch, within an accumulation": Position(1, 4),
        "before a validation": Position(1, 9),
        "after mosaic was closed": Position(2, 3),
    },
    "AdamW": {
        "at the end of an epoch, within an accumulation": Position(1),
        "within an epoch, within an accumulation": Position(1, 2),
        "at the end of an epoch": Position(2),
    },
}
PLACES = [
    pytest.param(name, where, marks=pytest.mark.long("a detector by SGD") if name == "SGD" else ())
    for name, kept in KEPT.items()
    for where in kept
]


@dataclass(frozen=True)
class Reference:
    """A training that nobody disturbed."""

    document: RunDocument
    data: CheckedDataset
    trained: Trained

    @property
    def end(self) -> Position:
        """Where it ended."""
        return Position(self.document.spec.training.epochs)


@pytest.fixture(scope="module", autouse=True)
def _every_batch_counts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    prepare(tmp_path_factory.mktemp("ultralytics"), threads=2)
    from modelyard_trainer.loop import guard  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ASK_EVERY", 0.0)
        yield


class References(dict[str, Reference]):
    """One undisturbed training for each optimizer, without workers, with a snapshot at every place of `KEPT`."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._data = check(make_dataset(root / "data", pictures=TRAINED + VALIDATED))
        assert (len(self._data.training), len(self._data.validation)) == (TRAINED, VALIDATED)

    def __missing__(self, name: str) -> Reference:
        """Train it, once it is asked for."""
        document = run_document(**SETTINGS[name])
        document = document.model_copy(update={"batch_size": document.spec.training.batch_size})
        wanted = {*KEPT[name].values(), Position(document.spec.training.epochs)}
        trained = train(document, self._data, self._root / name, Shelf(wanted.__contains__))
        self[name] = Reference(document, self._data, trained)
        return self[name]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """All of them."""
    return References(tmp_path_factory.mktemp("references"))


def resumed(reference: Reference, start: Stored, folder: Path, workers: int = 0) -> Trained:
    """The rest of a training."""
    end = reference.end
    return train(
        reference.document, reference.data, folder, Shelf(lambda position: position == end, start), workers=workers
    )


def assert_equal(trained: Trained, reference: Reference) -> None:
    """Same losses and metrics, same files, same numbers at the end."""
    assert trained.epochs == reference.trained.epochs
    assert trained.fit.best_epoch == reference.trained.fit.best_epoch
    names = {path.name for path in reference.trained.results.iterdir()}
    assert {path.name for path in trained.results.iterdir()} == names
    for name in names:
        assert not differences(trained.weights(name), reference.trained.weights(name))
    kept = reference.trained.stored[reference.end].state()
    assert not differences(trained.stored[reference.end].state(), kept)
    assert TrainingRunSpec.model_validate(kept["spec"]) == reference.document.spec, "with every default filled in"


@pytest.mark.parametrize(("name", "where"), PLACES)
def test_resumed_equals_never_killed(references: References, name: str, where: str, tmp_path: Path) -> None:
    reference, position = references[name], KEPT[name][where]
    trained = resumed(reference, reference.trained.stored[position], tmp_path, workers=2 if "within" in where else 0)
    assert trained.fit.resumed_from == position
    assert_equal(trained, reference)
    assert min(report.epoch for report in trained.reports) == position.epochs
    within = reference.trained.stored[position].state()["training"]
    assert bool(within["pending"]) is bool(within["gradients"])
    assert within["pending"] or "accumulation" not in where


@pytest.mark.parametrize("place", [Position(1, 2), Position(1, STEPS["AdamW"])], ids=["training", "validating"])
def test_told_to_stop_it_ends_at_the_very_batch_and_loses_nothing(
    references: References, place: Position, tmp_path: Path
) -> None:
    reference, shelf = references["AdamW"], Shelf()
    with told_to_stop_at(place, shelf) as interruption:
        train(reference.document, reference.data, tmp_path / "killed", shelf, interruption=interruption, workers=2)
    # Asked after this batch, it notices after the next, or in the validation.
    (position,) = shelf.stored
    assert position == (place if place.step == STEPS["AdamW"] else Position(place.epochs, place.step + 1))
    assert_equal(resumed(reference, shelf.stored[position], tmp_path / "resumed"), reference)


def test_two_workers_train_what_none_trains(references: References, tmp_path: Path) -> None:
    reference = references["AdamW"]
    end = reference.end
    trained = train(reference.document, reference.data, tmp_path, Shelf(lambda position: position == end), workers=2)
    assert trained.fit.resumed_from is None
    assert_equal(trained, reference)


def test_a_snapshot_of_another_training_is_passed_over_and_said(references: References, tmp_path: Path) -> None:
    reference = references["AdamW"]
    start = reference.trained.stored[Position(1)]
    other = reference.document.model_copy(
        update={
            "spec": reference.document.spec.model_copy(
                update={"training": reference.document.spec.training.model_copy(update={"epochs": 1, "seed": 5})}
            )
        }
    )
    trained = train(other, reference.data, tmp_path, Shelf(start=start))
    assert trained.fit.resumed_from is None
    assert [epoch.number for epoch in trained.fit.epochs] == [1]
    assert trained.fit.notices[-1] == (
        "the checkpoint of epoch 1 is of another training (seed 4, now 5; epochs 3, now 1), so the training began anew"
    )


def test_the_best_epoch_and_the_patience_of_earlier_attempts_count(references: References, tmp_path: Path) -> None:
    reference = references["AdamW"]
    start = reference.trained.stored[Position(1)]
    state = start.state()
    state["training"] |= {"best_fitness": 0.9}
    state["training"]["stopper"] |= {"best_fitness": 0.9}
    better = resumed(reference, start.holding(state), tmp_path / "better")
    assert better.fit.best_epoch == 1
    assert (better.results / "best.pt").read_bytes() == start.files["best.pt"]
    assert better.weights("last.pt")["epoch"] == reference.end.epochs
    state["training"]["stop"] = True
    stopped = resumed(reference, start.holding(state), tmp_path / "stopped")
    assert [epoch.number for epoch in stopped.fit.epochs] == [1]


def test_where_patience_ends_the_training_its_end_is_kept(references: References, tmp_path: Path) -> None:
    reference = references["AdamW"]
    start = reference.trained.stored[Position(1)]
    state = start.state()
    state["training"] |= {"best_fitness": 0.9}
    state["training"]["stopper"] |= {"best_fitness": 0.9, "best_epoch": 1}
    spec = reference.document.spec
    impatient = reference.document.model_copy(
        update={"spec": spec.model_copy(update={"training": spec.training.model_copy(update={"patience": 1})})}
    )
    trained = train(impatient, reference.data, tmp_path / "first", Shelf(start=start.holding(state)))
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2]
    assert list(trained.stored) == [Position(2)]
    again = train(impatient, reference.data, tmp_path / "again", Shelf(start=trained.stored[Position(2)]))
    assert again.epochs == trained.epochs


def test_with_half_the_batch_it_goes_on_where_the_pictures_end(references: References, tmp_path: Path) -> None:
    reference = references["AdamW"]
    start = reference.trained.stored[Position(1, 2)]
    smaller = reference.document.model_copy(update={"attempt": 2, "batch_size": 2})
    kept = [Position(1, step) for step in (4, 5)]
    trained = train(smaller, reference.data, tmp_path, Shelf(kept.__contains__, start))
    assert list(trained.stored) == [Position(1, 5)]
    assert [epoch.number for epoch in trained.fit.epochs] == [1, 2, 3]
    assert trained.epochs[0] == reference.trained.epochs[0]
    state = trained.stored[Position(1, 5)].state()["training"]
    # Four pictures had waited for the step that eight make: with the two of this batch they are six.
    assert (state["batch_size"], state["pending"]) == (2, 6)
