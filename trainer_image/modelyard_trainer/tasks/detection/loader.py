"""Training pictures in an order that has no history. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
from ultralytics.data.augment import Compose, Mosaic

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.loop.drawing import Place, pictures_drawn
from modelyard_trainer.tasks.detection.order import Order
from modelyard_trainer.tasks.detection.pictures import CheckedPictures


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
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """Those of a batch."""
        return pictures_drawn(self.order.seed, places, self._augmented)

    def _augmented(self, epoch: int, position: int) -> dict[str, Any]:
        self._pool = self.order.pool(epoch, position)
        transforms = self._mixing if epoch < self._plain_from else self._plain
        picture: dict[str, Any] = transforms(self.get_image_and_label(int(self.order.indices(epoch)[position])))
        return picture

    def _partners(self) -> list[int]:
        return random.choices(self._pool, k=3)  # noqa: S311 - no secret


def _mosaics(transform: Any) -> Iterator[Any]:
    """Every mosaic in a tree of transforms."""
    if isinstance(transform, Mosaic):
        yield transform
    children = transform.transforms if isinstance(transform, Compose) else [getattr(transform, "pre_transform", None)]
    for child in children:
        if child is not None:
            yield from _mosaics(child)
