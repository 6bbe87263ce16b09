"""Pictures as what a loader hands out: bytes, and the number of the picture. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from modelyard_trainer.imaging.augment import Transform
from modelyard_trainer.imaging.squares import Squares
from modelyard_trainer.loop.drawing import Place, pictures_drawn
from modelyard_trainer.loop.sampling import Order

Numbered = tuple[Tensor, int]
"""A picture as (3, height, width) bytes, RGB, and its number."""


class TrainingPictures:
    """Augmented pictures by their place in the training: one place always gives the same.

    Args:
        squares: of as many pixels as `augment` wants.
        order: which picture comes when.
        augment: varies it.
        seed: of the run.
        count: how many of each epoch's pictures are used.
    """

    def __init__(self, squares: Squares, order: Order, augment: Transform, seed: int, count: int) -> None:
        self._squares, self._order, self._augment, self._seed, self._count = squares, order, augment, seed, count

    def __getitem__(self, place: Place) -> Numbered:
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[Place]) -> list[Numbered]:
        """Those of a batch."""
        return pictures_drawn(self._seed, places, self._varied)

    def __len__(self) -> int:
        return self._count

    def _varied(self, epoch: int, position: int) -> Numbered:
        index = int(self._order(epoch)[position])
        varied = self._augment(Image.fromarray(np.asarray(self._squares[index])))
        return _planes(np.asarray(varied)), index


class PlainPictures:
    """Pictures as they are, in their order, in every epoch."""

    def __init__(self, squares: Squares) -> None:
        self._squares = squares

    def __getitem__(self, place: Place) -> Numbered:
        return _planes(np.asarray(self._squares[place[1]])), place[1]

    def __len__(self) -> int:
        return len(self._squares)


def collate(pictures: list[Numbered]) -> tuple[Tensor, Tensor]:
    """A batch: (n, 3, height, width) bytes and (n,) numbers."""
    return torch.stack([picture for picture, _ in pictures]), torch.tensor([number for _, number in pictures])


def as_input(pictures: Tensor, device: torch.device) -> Tensor:
    """Bytes as what networks take: 32-bit floats from 0 to 1, on the device."""
    return pictures.to(device, non_blocking=True).to(torch.float32, memory_format=_layout(device)).div_(255)


def put_on(device: torch.device, network: nn.Module) -> None:
    """A network's weights to the device, in the layout that its input has there."""
    network.to(device, memory_format=_layout(device))  # type: ignore[call-overload]


def _layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def _planes(square: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)))
