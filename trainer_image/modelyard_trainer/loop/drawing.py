"""Every random number of a training, as a function of the seed and its place alone.

Nothing here has a history: what is drawn for a picture is the same whoever draws it, in which process, after what. So
neither the number of workers nor a restart changes a training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Place = tuple[int, int]
"""(epoch, position in its order), both counted from 0."""
Picture = TypeVar("Picture")


class Purpose(IntEnum):
    """What random numbers are for: no two purposes draw the same."""

    ORDER = 0
    PICTURE = 1
    STEP = 2
    WEIGHTS = 3


def draw_from(seed: int, purpose: Purpose, epoch: int, place: int) -> None:
    """Make `random`, NumPy and torch draw what belongs to this place, from now on."""
    torch.manual_seed(_seed(seed, purpose, epoch, place))


def pictures_drawn(seed: int, places: Iterable[Place], picture_at: Callable[[int, int], Picture]) -> list[Picture]:
    """What `picture_at(epoch, position)` gives for each place when it draws, on the CPU, what belongs to the place.

    Whatever else draws goes on as if nothing had been drawn. Keeping its place takes four times as long as drawing from
    another one: this is for batches, not for each picture alone.
    """
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        found = []
        for epoch, position in places:
            torch.default_generator.manual_seed(_seed(seed, Purpose.PICTURE, epoch, position))
            found.append(picture_at(epoch, position))
        return found
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.default_generator.set_state(before[2])


@lru_cache(maxsize=8)
def permutation(seed: int, epoch: int, pictures: int) -> NDArray[np.int64]:
    """The numbers below `pictures`, shuffled for an epoch (counted from 0). Not to be written to."""
    generator = torch.Generator().manual_seed(_wide(numbers_of(seed, Purpose.ORDER, epoch, 0)))
    order: NDArray[np.int64] = torch.randperm(pictures, generator=generator).numpy()
    return order


def numbers_of(seed: int, purpose: Purpose, epoch: int, place: int) -> NDArray[np.uint32]:
    """Four numbers that differ from those of every other place."""
    return np.random.SeedSequence((seed, int(purpose), epoch, place)).generate_state(4).astype(np.uint32, copy=False)


def _seed(seed: int, purpose: Purpose, epoch: int, place: int) -> int:
    """Seed `random` and NumPy; torch's own seed is returned."""
    numbers = numbers_of(seed, purpose, epoch, place)
    random.seed(numbers.tobytes())
    np.random.seed(numbers)
    return _wide(numbers)


def _wide(numbers: NDArray[np.uint32]) -> int:
    """63 bits of them: what torch takes for a seed without a sign."""
    return int(numbers[0]) << 31 ^ int(numbers[1])
