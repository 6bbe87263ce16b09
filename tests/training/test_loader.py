"""A place in the training is one picture, whatever was asked for before it, and by whom."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.detection.offline import prepare

from tests.unit.trainer.datasets import make_dataset
from tests.unit.trainer.test_dataset_check import check

SIZE, BATCH, PLAIN_FROM = 64, 2, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> CheckedDataset:
    root = tmp_path_factory.mktemp("loader")
    prepare(root, threads=2)
    return check(make_dataset(root / "data", pictures=30))


def pictures(data: CheckedDataset, **arguments: object) -> Any:
    """A data set as the trainer makes it, half of its pictures mosaics."""
    from modelyard_trainer.tasks.detection.loader import OrderedPictures  # noqa: PLC0415 - only after `prepare`
    from modelyard_trainer.tasks.detection.pictures import picture_options  # noqa: PLC0415
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    wanted = {"imgsz": SIZE, "mosaic": 0.5, "mixup": 0.2, "translate": 0.0, "scale": 0.0, **arguments}
    options = picture_options(get_cfg(overrides=wanted), data.classes, training=True, batch=BATCH, stride=32)
    return OrderedPictures(data.training, seed=1, streams=2, plain_from=PLAIN_FROM, **options)


@pytest.mark.parametrize("cache", [False, "ram"])
def test_a_place_is_one_picture(data: CheckedDataset, cache: bool | str) -> None:
    one, other = pictures(data, cache=cache), pictures(data, cache=cache)
    places = [(epoch, position) for epoch in range(PLAIN_FROM + 1) for position in range(len(one))]
    shuffled = random.Random(0).sample(places, len(places))
    first = {place: one[place] for place in places}
    again = {place: other[place] for place in shuffled}
    for place in places:
        assert torch.equal(first[place]["img"], again[place]["img"]), place
        assert torch.equal(first[place]["bboxes"], again[place]["bboxes"]), place
    assert not torch.equal(first[0, 0]["img"], first[1, 0]["img"])


def test_mosaics_rest_in_the_last_epochs_and_draw_from_the_pool_before(data: CheckedDataset) -> None:
    found = pictures(data, mosaic=1.0, mixup=0.0)
    asked: list[int] = []
    load = found.load_image

    def note(i: int, *arguments: Any, **options: Any) -> Any:
        asked.append(i)
        return load(i, *arguments, **options)

    found.load_image = note
    for position in range(len(found)):
        asked.clear()
        found[PLAIN_FROM - 1, position]
        assert len(asked) == 4
        assert set(asked) <= set(found.order.pool(PLAIN_FROM - 1, position))
        asked.clear()
        found[PLAIN_FROM, position]
        assert asked == [found.order.indices(PLAIN_FROM)[position]]
    assert len(found.buffer) <= found.order.remembered < len(found)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_can_be_entered_at_any_batch(data: CheckedDataset, workers: int) -> None:
    from modelyard_trainer.loop.loader import EpochLoader  # noqa: PLC0415

    ordered = pictures(data)
    loader = EpochLoader(ordered, ordered.order.batch_size, workers, collate=ordered.collate_fn, pin_memory=False)
    try:
        for epoch in (0, 1, PLAIN_FROM):
            whole = [batch["img"] for batch in loader.epoch(epoch)]
            assert len(whole) == len(loader)
            rest = [batch["img"] for batch in loader.epoch(epoch, 5)]
            assert all(torch.equal(a, b) for a, b in zip(whole[5:], rest, strict=True))
    finally:
        loader.close()
