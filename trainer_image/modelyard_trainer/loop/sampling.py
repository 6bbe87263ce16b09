"""Which pictures an epoch is made of, and in which order: functions of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard_trainer.loop.drawing import Purpose, numbers_of, permutation

Indices = NDArray[np.int64]
Order = Callable[[int], Indices]
"""Takes the epoch (counted from 0), gives its pictures in their order; quick when it is asked for the same again."""


def shuffled(seed: int, pictures: int) -> Order:
    """Each picture once."""
    return lambda epoch: permutation(seed, epoch, pictures)


class Drawn:
    """Pictures that are drawn anew in each epoch.

    Args:
        seed: of the run.
        draw: makes an epoch's order, always as long.
    """

    def __init__(self, seed: int, draw: Callable[[np.random.Generator], Indices]) -> None:
        self._seed, self._draw = seed, draw
        self._drawn: tuple[int, Indices] | None = None

    def __call__(self, epoch: int) -> Indices:
        """The pictures of an epoch (counted from 0)."""
        if self._drawn is None or self._drawn[0] != epoch:
            draw = np.random.default_rng(numbers_of(self._seed, Purpose.ORDER, epoch, 0))
            self._drawn = epoch, self._draw(draw)
        return self._drawn[1]


class Balanced(Drawn):
    """As many pictures as there are, each class as often as any other; drawn anew, with repetitions, in each epoch.

    Args:
        seed: of the run.
        classes: of the pictures, in their order.
    """

    def __init__(self, seed: int, classes: Sequence[int]) -> None:
        counts = np.bincount(classes)
        weights = 1.0 / counts[np.asarray(classes)]
        shares = weights / weights.sum()
        super().__init__(seed, lambda draw: draw.choice(len(shares), size=len(shares), p=shares))
