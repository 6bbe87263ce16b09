"""Several ranks train what one does, each on its share: the loop knows no task, and the ranks neither."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_api.spec import MixedPrecision, Optimizer, ScheduleName
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.average import Average
from modelyard_trainer.loop.batches import Batches, without_a_small_batch
from modelyard_trainer.loop.device import ranks_wanted
from modelyard_trainer.loop.drawing import Place
from modelyard_trainer.loop.epochs import EpochLoop, Plan
from modelyard_trainer.loop.freezing import Freezing
from modelyard_trainer.loop.guard import NOTHING, Watch
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.loop.optimizer import build_optimizer
from modelyard_trainer.loop.precision import Precision
from modelyard_trainer.loop.ranks import ALONE, Ranks
from modelyard_trainer.loop.schedule import Schedule
from modelyard_trainer.loop.state import Numbers, same_start
from modelyard_trainer.tasks.reid.losses import batch_hard_triplet
from torch import Tensor, nn
from torch.utils.data import default_collate

from tests.training.trainings import differences
from tests.unit.trainer.datasets import run_document
from tests.unit.trainer.ranked import both


class Rank(Ranks):
    """One of several that never meet."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count


class Places:
    """Each picture is its place."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __getitem__(self, place: Place) -> Place:
        return place

    def __len__(self) -> int:
        return self._count


@pytest.mark.parametrize(("pictures", "count"), [(8, 2), (7, 2), (16, 8), (9, 4), (3, 1)])
def test_the_shares_make_up_the_batch_in_its_order(pictures: int, count: int) -> None:
    shares = [Rank(rank, count).share(pictures) for rank in range(count)]
    assert [picture for share in shares for picture in share] == list(range(pictures))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("count", [2, 3])
def test_what_all_load_together_is_what_one_loads_alone(count: int) -> None:
    def loaded(ranks: Ranks) -> list[list[Place]]:
        loader = EpochLoader(Places(23), 6, 0, collate=list, pin_memory=False, ranks=ranks)
        assert len(loader) == 4
        return list(loader.epoch(2, 1))

    shares = zip(*(loaded(Rank(rank, count)) for rank in range(count)), strict=True)
    assert [[place for share in batch for place in share] for batch in shares] == loaded(ALONE)


@pytest.mark.parametrize(
    ("pictures", "size", "ranks", "used"),
    [(64, 16, 4, 64), (7, 4, 2, 4), (8, 4, 2, 8), (71, 16, 4, 64), (72, 16, 4, 72)],
)
def test_no_rank_ever_has_a_lone_picture(pictures: int, size: int, ranks: int, used: int) -> None:
    assert without_a_small_batch(pictures, size, size, ranks) == used


def test_epochs_in_8_bits_are_refused_where_several_processes_would_train() -> None:
    document = run_document(
        task="classification",
        dataset={"path": "/nowhere", "format": "image-folder"},
        training={"epochs": 4, "imageSize": 32, "quantization": {"epochs": 1}},
        export=[{"format": "onnx", "precision": "int8", "qat": True}],
    )
    with pytest.raises(RunError, match=r"^spec\.training.quantization: it trains in one process, not in 2") as caught:
        ranks_wanted(document, 2)
    assert caught.value.reason is Reason.SPEC_INVALID
    assert ranks_wanted(document, 1) == 1
    assert ranks_wanted(document, None) == 1
    assert ranks_wanted(run_document(), 2) == 2


class Rows:
    """Pictures of two numbers, and whom each shows."""

    def __getitem__(self, place: Place) -> tuple[Tensor, Tensor]:
        epoch, position = place
        row = torch.tensor([math.sin(3.0 * position + epoch), math.cos(5.0 * position)])
        return row, torch.tensor(position // 2 % 3)

    def __len__(self) -> int:
        return 23


class Triplets:
    """A loss that looks at the whole batch, and one that does not."""

    def __init__(self, ranks: Ranks, poison: float) -> None:
        self._ranks, self._poison, self.validations = ranks, poison, 0

    def loss(self, model: nn.Module, batch: list[Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        rows, persons = batch
        features = model(rows)
        among = self._ranks.whole(features), self._ranks.whole(persons)
        triplet = batch_hard_triplet(features, persons, 0.3, among)
        norm = features.square().mean() * self._poison
        return triplet + 0.1 * norm, {"triplet": triplet, "norm": norm}

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        heed()
        self.validations += 1
        return {"score": float(model(torch.eye(2)).sum())}


class Ended(TypedDict):
    """What is left of a training in one rank."""

    state: dict[str, Any]
    metrics: list[Mapping[str, float]]
    validations: int


def trained(ranks: Ranks, *, poisoned: bool = False) -> Ended:
    """Three epochs with an unequal last batch, accumulation, clipping, an average and a layer that thaws."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    learner, metrics = Triplets(ranks, math.nan if poisoned and ranks.rank else 1.0), list[Mapping[str, float]]()
    batches = Batches(23, 6, 12)
    freezing = Freezing(model, {"0.weight", "0.bias"}, 1)
    numbers = Numbers(
        model,
        Average(model, 0.9),
        build_optimizer(model, Optimizer(learning_rate=0.05)),
        Precision(MixedPrecision.DISABLED, "cpu", clip=0.2),
    )
    if ranks.rank:
        with torch.no_grad():
            next(model.parameters()).add_(1)  # the first rank's are taken
    loop = EpochLoop(
        learner=learner,
        loader=EpochLoader(Rows(), 6, 0, collate=default_collate, pin_memory=False, ranks=ranks),
        batches=batches,
        schedule=Schedule(ScheduleName.COSINE, 3, 1, 0.1),
        numbers=numbers,
        freezing=freezing,
        plan=Plan(3, 0, "score", seed=1),
        watch=Watch(lambda *_: None, lambda _epoch, told, _best, _weights: metrics.append(told)),
        guard=NOTHING,
        ranks=ranks,
    )
    loop.run(same_start(ranks, Position(0), numbers, batches))
    return {"state": numbers.capture(batches), "metrics": metrics, "validations": learner.validations}


def test_two_ranks_make_the_steps_of_one(tmp_path: Path) -> None:
    alone = trained(ALONE)  # first: what it imports need not be imported by either rank
    first, second = both(tmp_path, trained)
    assert not differences(first["state"], second["state"])
    assert first["metrics"] == second["metrics"]
    assert (first["validations"], second["validations"]) == (3, 0)
    for one, other in (
        (first["state"]["model"], alone["state"]["model"]),
        (first["state"]["average"], alone["state"]["average"]),
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    for mine, its in zip(first["metrics"], alone["metrics"], strict=True):
        assert mine == pytest.approx(its, rel=1e-4)


def test_a_loss_that_is_no_number_in_one_rank_ends_all(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        both(tmp_path, partial(trained, poisoned=True))
    assert caught.value.reason is Reason.DIVERGED
