"""The order of pictures, their random numbers, and the schedule: functions of the place, without a history."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.loop.drawing import Purpose, draw_from, pictures_drawn
from modelyard_trainer.loop.resume import fingerprint, why_not
from modelyard_trainer.tasks.detection.order import Order
from modelyard_trainer.tasks.detection.schedule import Schedule

from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.test_dataset_check import check


def draws() -> tuple[float, float, float]:
    """One number of each generator."""
    return random.random(), float(np.random.random()), float(torch.rand(1))


FORMAT = "modelyard/detection-training/v1"


def test_each_epoch_has_every_picture_once_in_an_order_of_its_own() -> None:
    order = Order(seed=1, pictures=50, batch_size=8, streams=2, shuffled=True)
    epochs = [order.indices(epoch).tolist() for epoch in range(4)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert epochs[2] == Order(1, 50, 4, 1, shuffled=True).indices(2).tolist()
    assert epochs[2] != Order(2, 50, 8, 2, shuffled=True).indices(2).tolist()
    assert Order(1, 5, 2, 1, shuffled=False).indices(3).tolist() == [0, 1, 2, 3, 4]


def test_a_pool_is_the_last_batches_of_the_stream_through_the_epochs() -> None:
    order = Order(seed=1, pictures=199, batch_size=4, streams=3, shuffled=True)

    def batches(epoch: int, *numbers: int) -> list[int]:
        return [index for n in numbers for index in order.indices(epoch)[n * 4 : n * 4 + 4].tolist()]

    assert order.pool(0, 40 * 4 + 2) == batches(0, *range(40, 16, -3))
    assert order.pool(0, 3) == batches(0, 0)
    assert order.pool(0, 4 * 4) == batches(0, 4, 1)
    assert order.pool(2, 4 * 4) == batches(2, 4, 1) + batches(1, *range(49, 31, -3))
    assert order.pool(1, 0) == batches(1, 0) + batches(0, *range(48, 27, -3))
    assert len(order.pool(1, 4)) == 8 * 4 - 1  # the last batch of the epoch before, which is not full, is among them
    assert order.remembered == 36


def test_pools_are_bounded_and_all_pictures_where_these_are_few_or_in_memory() -> None:
    assert len(Order(1, 9000, 600, 1, shuffled=True).pool(3, 8000)) == 600
    assert Order(1, 32, 4, 2, shuffled=True).pool(0, 7) == range(32)
    assert Order(1, 200, 4, None, shuffled=True).pool(0, 7) == range(200)


def test_what_is_drawn_belongs_to_the_place_and_disturbs_nobody() -> None:
    draw_from(1, Purpose.STEP, 0, 0)
    undisturbed = [draws(), draws()]
    draw_from(1, Purpose.STEP, 0, 0)
    first = draws()
    drawn = pictures_drawn(1, [(0, 0), (0, 1), (1, 0), (0, 0)], lambda _epoch, _position: draws())
    drawn[3:3] = pictures_drawn(2, [(0, 0)], lambda _epoch, _position: draws())
    assert [first, draws()] == undisturbed
    assert drawn[0] == drawn[-1]
    assert len({*drawn, undisturbed[0]}) == 5


def optimizer() -> Any:
    """Groups as ultralytics makes them."""
    groups = [{"param_group": name, "initial_lr": 0.01, "lr": -1.0, "momentum": 0.5} for name in ("weight", "bias")]
    return SimpleNamespace(param_groups=groups)


def test_the_schedule_is_that_of_ultralytics() -> None:
    schedule = Schedule(lambda epoch: 1 - epoch / 10, 10, 20, 0.1, 0.8, 0.9, accumulate=5)
    begun = optimizer()
    assert schedule.apply(begun, 0, 0) == 1
    assert [group["lr"] for group in begun.param_groups] == [0.0, 0.1]
    assert [group["momentum"] for group in begun.param_groups] == [0.8, 0.8]
    half = optimizer()
    assert schedule.apply(half, 1, 0) == 3
    assert [group["lr"] for group in half.param_groups] == pytest.approx([0.0045, 0.0545])
    full = optimizer()
    assert schedule.apply(full, 2, 0) == 5
    assert [group["lr"] for group in full.param_groups] == [0.01 * 0.8] * 2
    assert full.param_groups[0]["momentum"] == 0.9
    later = optimizer()
    assert schedule.apply(later, 3, 4) == 5
    assert [(group["lr"], group["momentum"]) for group in later.param_groups] == [(0.01 * 0.7, 0.5)] * 2


def test_a_snapshot_is_used_for_its_own_training_only(tmp_path: Path) -> None:
    data = check(make_dataset(tmp_path / "data"))
    wanted = fingerprint(run_document(), data, data.classes)
    files = {"best.pt": tmp_path, "last.pt": tmp_path}
    state = {"format": FORMAT, "fingerprint": wanted, "history": {"best": {"epoch": 1}}}
    assert why_not(Snapshot(Position(2, 3), state, files), wanted, FORMAT) is None
    assert why_not(Snapshot(Position(0, 3), state), wanted, FORMAT) is None
    assert why_not(Snapshot(Position(2, 3), state), wanted, FORMAT) == (
        "the checkpoint of epoch 3, batch 3 came without best.pt and last.pt, so the training began anew"
    )
    assert why_not(Snapshot(Position(2), {}, files), wanted, FORMAT) == (
        f"the checkpoint of epoch 2 is not a {FORMAT}, so the training began anew"
    )
    other = {"format": FORMAT, "fingerprint": {**wanted, "classes": ["cat"], "imageSize": 320}}
    assert why_not(Snapshot(Position(2), other, files), wanted, FORMAT) == (
        "the checkpoint of epoch 2 is of another training (classes cat, now cat, dog; imageSize 320, now 640), "
        "so the training began anew"
    )


@pytest.mark.parametrize(
    ("position", "was", "size", "here"),
    [
        (Position(1), 8, 4, Position(1)),
        (Position(1, 3), 8, 8, Position(1, 3)),
        (Position(1, 3), 8, 4, Position(1, 6)),
        (Position(1, 3), 7, 3, Position(1, 7)),
        (Position(1, 3), 4, 3, Position(1, 4)),  # all ten pictures: only the validation is to be done
    ],
)
def test_with_another_batch_size_pictures_count(position: Position, was: int, size: int, here: Position) -> None:
    from modelyard_trainer.loop.state import in_batches_of  # noqa: PLC0415

    pictures = 10 if was == 4 else 100
    assert in_batches_of(size, position, was, pictures) == here
