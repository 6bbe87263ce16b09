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


class Balanced:
    """As many pictures as there are, each class as often as any other; drawn anew, with repetitions, in each epoch.

    Args:
        seed: of the run.
        classes: of the pictures, in their order.
    """

    def __init__(self, seed: int, classes: Sequence[int]) -> None:
        self._seed = seed
        counts = np.bincount(classes)
        weights = 1.0 / counts[np.asarray(classes)]
        self._shares = weights / weights.sum()
        self._drawn: tuple[int, Indices] | None = None

    def __call__(self, epoch: int) -> Indices:
        """The pictures of an epoch (counted from 0)."""
        if self._drawn is None or self._drawn[0] != epoch:
            draw = np.random.default_rng(numbers_of(self._seed, Purpose.ORDER, epoch, 0))
            self._drawn = epoch, draw.choice(len(self._shares), size=len(self._shares), p=self._shares)
        return self._drawn[1]
