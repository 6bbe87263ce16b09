"""The loop, with a task of four numbers: it knows none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_api.spec import MixedPrecision, Optimizer, OptimizerName, ScheduleName
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.loop import epochs, guard
from modelyard_trainer.loop.average import Average
from modelyard_trainer.loop.batches import Batches
from modelyard_trainer.loop.compiling import as_it_is
from modelyard_trainer.loop.drawing import Place
from modelyard_trainer.loop.epochs import EpochLoop, Plan
from modelyard_trainer.loop.freezing import Freezing
from modelyard_trainer.loop.guard import Guard, Watch
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.loop.optimizer import build_optimizer
from modelyard_trainer.loop.precision import Precision
from modelyard_trainer.loop.schedule import Schedule
from modelyard_trainer.loop.state import Numbers
from torch import Tensor, nn

from tests.unit.trainer.reading import Reads, ReadSteps, steps_of

PICTURES = 10


@pytest.fixture(autouse=True)
def _every_batch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "ASK_EVERY", 0.0)


class Points:
    """Points on a line, in the same order in every epoch."""

    def __getitem__(self, place: Place) -> Tensor:
        return torch.tensor([place[1] / PICTURES])

    def __len__(self) -> int:
        return PICTURES


@dataclass
class LineLearner:
    """Learns y = 2x; its metric in each epoch is given."""

    metrics: list[float] = field(default_factory=lambda: [0.1, 0.2, 0.3, 0.4])
    nan_from: int = 10**9
    steps: int = 0
    models: list[nn.Module] = field(default_factory=list)

    def loss(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        self.steps += 1
        loss = ((model(batch) - 2 * batch) ** 2).mean() * (math.nan if self.steps >= self.nan_from else 1)
        return loss, {"loss": loss}

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        heed()
        self.models.append(model)
        return {"score": self.metrics[len(self.models) - 1]}


@dataclass
class Yard:
    """A loop and all that it tells."""

    learner: LineLearner = field(default_factory=LineLearner)
    epochs: int = 4
    patience: int = 0
    evaluate_every: int = 1
    average: bool = False
    frozen: frozenset[str] = frozenset()
    thaws_after: int = 0
    optimizer: OptimizerName = OptimizerName.SGD
    amp: MixedPrecision = MixedPrecision.DISABLED
    clip: float | None = None
    compiling: Callable[[nn.Module], nn.Module] = as_it_is
    watched: bool = False
    asked: Callable[[], bool] = lambda: False
    due: Callable[[Position], bool] = lambda _position: False
    told: list[tuple[int, float, bool, float]] = field(default_factory=list)
    kept: dict[Position, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        self.freezing = Freezing(model, self.frozen, self.thaws_after)
        self.batches = Batches(PICTURES, 2, 4)
        self.numbers = Numbers(
            model,
            Average(model, 0.9) if self.average else None,
            build_optimizer(model, Optimizer(name=self.optimizer, learning_rate=0.1)),
            Precision(self.amp, "cpu", self.clip),
        )
        self.reads = Reads(but=lambda: steps_of(self.numbers.optimizer))
        loader = EpochLoader(Points(), 2, 0, collate=torch.stack, pin_memory=False)
        self.loop = EpochLoop(
            learner=self.learner,
            loader=cast("EpochLoader", ReadSteps(loader, self.reads)) if self.watched else loader,
            batches=self.batches,
            schedule=Schedule(ScheduleName.COSINE, self.epochs, 1, 0.1),
            numbers=self.numbers,
            freezing=self.freezing,
            plan=Plan(self.epochs, self.patience, "score", seed=1, evaluate_every=self.evaluate_every),
            watch=Watch(
                lambda _epoch, _step, _steps, _losses: None,
                lambda epoch, metrics, best, _weights: self.told.append(
                    (epoch, metrics.get("score", math.nan), best, metrics["lr"])
                ),
            ),
            guard=Guard(self.asked, self.due, self.kept.__setitem__),
            compiling=self.compiling,
        )


def test_it_tells_every_epoch_and_which_is_the_best() -> None:
    yard = Yard(LineLearner([0.2, 0.5, 0.5, 0.4]))
    yard.loop.run(Position(0))
    assert [each[:3] for each in yard.told] == [(1, 0.2, True), (2, 0.5, True), (3, 0.5, False), (4, 0.4, False)]
    assert yard.learner.steps == 4 * 5
    assert yard.numbers.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_patience_ends_it_and_its_end_is_kept() -> None:
    yard = Yard(LineLearner([0.5, 0.4, 0.3, 0.9]), patience=2)
    yard.loop.run(Position(0))
    assert [each[0] for each in yard.told] == [1, 2, 3]
    assert list(yard.kept) == [Position(3)]


def test_between_two_validations_no_epoch_is_the_best_and_the_last_always_has_one() -> None:
    yard = Yard(LineLearner([0.5, 0.6, 0.7]), epochs=5, evaluate_every=2)
    yard.loop.run(Position(0))
    assert [each[0] for each in yard.told if each[2]] == [2, 4, 5]
    assert [each[0] for each in yard.told if math.isnan(each[1])] == [1, 3]


def test_patience_waits_for_a_validation() -> None:
    yard = Yard(LineLearner([0.5, 0.4, 0.9]), epochs=6, patience=1, evaluate_every=2)
    yard.loop.run(Position(0))
    assert [each[0] for each in yard.told] == [1, 2, 3, 4]


def test_the_average_is_what_is_validated() -> None:
    yard = Yard(average=True)
    yard.loop.run(Position(0))
    assert yard.numbers.average is not None
    assert set(yard.learner.models) == {yard.numbers.average.model}
    assert yard.numbers.average.updates == 4 * 3, "three steps of the optimizer an epoch"


def test_what_is_no_number_any_more_ends_it_within_the_epoch_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "READ_EVERY", 2)
    yard = Yard(LineLearner(nan_from=6), due=lambda position: position.step == 5)
    with pytest.raises(RunError, match="the loss is not a number any more in epoch 2") as ended:
        yard.loop.run(Position(0))
    assert ended.value.reason is Reason.DIVERGED
    assert yard.learner.steps == 7
    assert list(yard.kept) == [Position(0, 5)]


def test_asked_to_stop_in_a_validation_it_keeps_what_came_before_it() -> None:
    learner = LineLearner()
    asked = iter([False] * 6 + [True])  # before the first epoch, after its five batches, in its validation
    yard = Yard(learner, asked=lambda: next(asked))
    with pytest.raises(Interrupted):
        yard.loop.run(Position(0))
    assert list(yard.kept) == [Position(0, 5)]


def test_resumed_anywhere_it_ends_with_the_same_numbers() -> None:
    whole = Yard(average=True, due=lambda _position: True)
    whole.loop.run(Position(0))
    for position in (Position(0, 1), Position(1), Position(2, 3), Position(3, 5)):
        rest = Yard(LineLearner([0.1, 0.2, 0.3, 0.4][position.epochs :]), average=True)
        start = rest.numbers.restore(position, whole.kept[position], rest.batches)
        rest.loop.run(start)
        one, other = rest.numbers.capture(rest.batches), whole.kept[Position(4)]
        assert torch.equal(one["model"]["weight"], other["model"]["weight"])
        assert torch.equal(one["average"]["model"]["weight"], other["average"]["model"]["weight"])
        assert one["best"] == other["best"]
        assert rest.told == whole.told[position.epochs :]


def test_resumed_on_either_side_of_the_thaw_it_ends_with_the_same_numbers() -> None:
    def yard(epochs_done: int = 0) -> Yard:
        return Yard(
            LineLearner([0.1, 0.2, 0.3, 0.4][epochs_done:]),
            average=True,
            frozen=frozenset({"weight"}),
            thaws_after=2,
            due=lambda _position: True,
        )

    whole = yard()
    begin = whole.numbers.model.state_dict()["weight"].clone()
    whole.loop.run(Position(0))
    weights = {position: kept["model"]["weight"] for position, kept in whole.kept.items()}
    assert torch.equal(weights[Position(2)], begin)
    assert not torch.equal(weights[Position(2, 2)], begin), "it thaws with the third epoch's first step"
    for position in (Position(1, 3), Position(2), Position(2, 1), Position(3)):
        rest = yard(position.epochs)
        rest.loop.run(rest.numbers.restore(position, whole.kept[position], rest.batches))
        assert torch.equal(rest.kept[Position(4)]["model"]["weight"], weights[Position(4)])
        assert rest.told == whole.told[position.epochs :]


def test_asked_to_stop_it_keeps_the_batch_it_is_at() -> None:
    learner = LineLearner()
    yard = Yard(learner, asked=lambda: learner.steps == 7)
    with pytest.raises(Interrupted):
        yard.loop.run(Position(0))
    assert list(yard.kept) == [Position(1, 2)]


@pytest.mark.parametrize("name", OptimizerName)
def test_a_step_reads_nothing_back(name: OptimizerName) -> None:
    yard = Yard(watched=True, average=True, optimizer=name, amp=MixedPrecision.BF16, clip=0.1)
    yard.loop.run(Position(0))
    assert yard.reads.seen > 20 * yard.learner.steps
    assert yard.reads.found == []


def test_what_is_read_in_a_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "READ_EVERY", 5)
    yard = Yard(epochs=1, watched=True)
    yard.loop.run(Position(0))
    assert yard.reads.found == [("_local_scalar_dense", "<dictcomp>")], "whether the loss is a number, every so often"
