"""Every random number of a training, as a function of the seed and its place alone.

Nothing here has a history: what is drawn for a picture is the same whoever draws it, in which process, after what. So
neither the number of workers nor a restart changes a training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are for: no two purposes draw the same."""

    ORDER = 0
    PICTURE = 1
    STEP = 2
    WEIGHTS = 3


def draw_from(seed: int, purpose: Purpose, epoch: int, place: int) -> None:
    """Make `random`, NumPy and torch draw what belongs to this place, from now on."""
    numbers = numbers_of(seed, purpose, epoch, place)
    _seed_cpu(numbers)
    torch.manual_seed(_wide(numbers))


@contextmanager
def drawing(seed: int, purpose: Purpose, epoch: int, place: int) -> Iterator[None]:
    """As `draw_from`, on the CPU, and until the block ends; then they go on as if nothing had been drawn."""
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    numbers = numbers_of(seed, purpose, epoch, place)
    _seed_cpu(numbers)
    torch.default_generator.manual_seed(_wide(numbers))
    try:
        yield
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


def _seed_cpu(numbers: NDArray[np.uint32]) -> None:
    random.seed(numbers.tobytes())
    np.random.seed(numbers)


def _wide(numbers: NDArray[np.uint32]) -> int:
    """63 bits of them: what torch takes for a seed without a sign."""
    return int(numbers[0]) << 31 ^ int(numbers[1])
