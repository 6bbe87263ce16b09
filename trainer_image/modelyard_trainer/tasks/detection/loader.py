"""Training pictures in an order that has no history. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Sampler
from ultralytics.data.augment import Compose, Mosaic

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.tasks.detection.order import Order, Purpose, drawing
from modelyard_trainer.tasks.detection.pictures import CheckedPictures

Place = tuple[int, int]
"""(epoch, position in its order), both counted from 0."""
_PREFETCHED = 4
"""Batches that each worker has ready, as with ultralytics."""


class OrderedPictures(CheckedPictures):
    """Augmented pictures by their place in the training: one place always gives the same.

    ultralytics takes the partners of a mosaic from what the worker happens to have decoded lately. Here they come from
    `Order.pool`; what was decoded lately only saves decoding it again.

    Args:
        seed, streams: see `Order`.
        plain_from: the epoch (counted from 0) from which on mosaic, mixup, cutmix and copyPaste rest.
        options: ultralytics' own.
    """

    def __init__(
        self, pictures: Sequence[Picture], *, seed: int, streams: int | None, plain_from: int, **options: Any
    ) -> None:
        super().__init__(pictures, **options)
        # Rectangles belong to batches of neighbours, which an order of its own would tear apart.
        mixed_shapes = self.rect and not np.all(self.batch_shapes == self.batch_shapes[0])
        self.order = Order(seed, len(self), min(self.batch_size, len(self)), streams, shuffled=not mixed_shapes)
        self.max_buffer_length = self.order.remembered
        self._plain_from = plain_from
        self._mixing = self.transforms
        self.close_mosaic(copy(options["hyp"]))
        self._plain = self.transforms
        self._pool: Sequence[int] = ()

    def build_transforms(self, hyp: Any) -> Any:
        """As ultralytics does, with other partners for its mosaics."""
        transforms = super().build_transforms(hyp)
        for mosaic in _mosaics(transforms):
            mosaic.get_indexes = self._partners
        return transforms

    def __getitem__(self, place: Place) -> dict[str, Any]:
        """The picture at this place, augmented."""
        epoch, position = place
        self._pool = self.order.pool(epoch, position)
        transforms = self._mixing if epoch < self._plain_from else self._plain
        with drawing(self.order.seed, Purpose.PICTURE, epoch, position):
            index = int(self.order.indices(epoch)[position])
            picture: dict[str, Any] = transforms(self.get_image_and_label(index))
        return picture

    def _partners(self) -> list[int]:
        return random.choices(self._pool, k=3)  # noqa: S311 - no secret


class EpochLoader(DataLoader[Any]):
    """Batches of one epoch at a time, from any step on. Workers stay for the next epoch, and wait for it."""

    def __init__(self, pictures: OrderedPictures, workers: int, *, pin_memory: bool) -> None:
        self._places = _Places(len(pictures))
        super().__init__(
            pictures,
            batch_size=pictures.order.batch_size,
            sampler=self._places,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=_PREFETCHED if workers else None,
            collate_fn=pictures.collate_fn,
            pin_memory=pin_memory,
        )

    def epoch(self, epoch: int, step: int = 0) -> Iterator[dict[str, Any]]:
        """The batches of an epoch (counted from 0), without the first `step` ones."""
        assert self.batch_size is not None  # noqa: S101 - it was given above
        self._places.begin(epoch, step * self.batch_size)
        return iter(self)

    def close(self) -> None:
        """End the workers."""
        if self._iterator is not None:
            self._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._iterator = None


class _Places(Sampler[Place]):
    """The places of one epoch from a position on."""

    def __init__(self, pictures: int) -> None:
        self._pictures = pictures
        self._epoch = self._start = 0

    def begin(self, epoch: int, start: int) -> None:
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[Place]:
        epoch = self._epoch
        return ((epoch, position) for position in range(self._start, self._pictures))

    def __len__(self) -> int:
        return self._pictures


def _mosaics(transform: Any) -> Iterator[Any]:
    """Every mosaic in a tree of transforms."""
    if isinstance(transform, Mosaic):
        yield transform
    children = transform.transforms if isinstance(transform, Compose) else [getattr(transform, "pre_transform", None)]
    for child in children:
        if child is not None:
            yield from _mosaics(child)
