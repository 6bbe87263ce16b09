"""The order of an epoch and every random number in it, as functions of the seed and the place alone.

Nothing here has a history: what is drawn for a picture is the same whoever draws it, in which process, after what. So
neither the number of workers nor a restart changes a training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

_POOL_BATCHES = 8
"""Batches whose pictures a mosaic is made of, the picture's own among them; as many as ultralytics remembers."""
_POOL_PICTURES = 1000
"""Bounds what a worker remembers, as ultralytics does."""


class Purpose(IntEnum):
    """What random numbers are for: no two purposes draw the same."""

    ORDER = 0
    PICTURE = 1
    STEP = 2


def draw_from(seed: int, purpose: Purpose, epoch: int, place: int) -> None:
    """Make `random`, NumPy and torch draw what belongs to this place, from now on."""
    numbers = _numbers(seed, purpose, epoch, place)
    _seed_cpu(numbers)
    torch.manual_seed(_wide(numbers))


@contextmanager
def drawing(seed: int, purpose: Purpose, epoch: int, place: int) -> Iterator[None]:
    """As `draw_from`, on the CPU, and until the block ends; then they go on as if nothing had been drawn."""
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    numbers = _numbers(seed, purpose, epoch, place)
    _seed_cpu(numbers)
    torch.default_generator.manual_seed(_wide(numbers))
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.default_generator.set_state(before[2])


@dataclass(frozen=True)
class Order:
    """Which picture comes when, and with which others it may be put together.

    Args:
        seed: of the run.
        pictures: how many there are.
        batch_size: pictures a batch.
        streams: into how many streams the batches are dealt. A worker that is dealt a stream has decoded the pictures
            of its pools already; with another number of workers they are the same, and decoded more often. None where
            all pictures lie decoded in memory, and any two may come together.
        shuffled: whether each epoch has an order of its own; without it the pictures come as they lie.
    """

    seed: int
    pictures: int
    batch_size: int
    streams: int | None
    shuffled: bool

    def indices(self, epoch: int) -> NDArray[np.int64]:
        """The pictures in the order of the epoch (counted from 0)."""
        return _permutation(self.seed, epoch, self.pictures) if self.shuffled else np.arange(self.pictures)

    def pool(self, epoch: int, position: int) -> Sequence[int]:
        """The pictures that may be put together with the one at `position`.

        They are those of its batch and of the ones before it in its stream, also in earlier epochs; or all, where they
        are no more than that.
        """
        depth = max(1, min(_POOL_BATCHES, _POOL_PICTURES // self.batch_size))
        if self.streams is None or self.pictures <= depth * self.batch_size:
            return range(self.pictures)
        size, pool = self.batch_size, []
        for e, batch in islice(self._stream(epoch, position // size, self.streams), depth):
            pool += self.indices(e)[batch * size : (batch + 1) * size].tolist()
        return pool

    @property
    def remembered(self) -> int:
        """How many decoded pictures are worth remembering: those of a pool and of the batch that goes next."""
        return min(self.pictures, (_POOL_BATCHES + 1) * self.batch_size, _POOL_PICTURES)

    def _stream(self, epoch: int, batch: int, streams: int) -> Iterator[tuple[int, int]]:
        """Backwards from a batch: every `streams`th of its epoch, then those of the epoch before at the same turn."""
        last = -(-self.pictures // self.batch_size) - 1
        while epoch >= 0:
            yield epoch, batch
            batch -= streams
            if batch < 0:
                turn = batch % streams
                epoch, batch = epoch - 1, last - (last - turn) % streams


@lru_cache(maxsize=8)
def _permutation(seed: int, epoch: int, pictures: int) -> NDArray[np.int64]:
    generator = torch.Generator().manual_seed(_wide(_numbers(seed, Purpose.ORDER, epoch, 0)))
    order: NDArray[np.int64] = torch.randperm(pictures, generator=generator).numpy()
    return order


def _numbers(seed: int, purpose: Purpose, epoch: int, place: int) -> NDArray[np.uint32]:
    """Four numbers that differ from those of every other place."""
    return np.random.SeedSequence((seed, int(purpose), epoch, place)).generate_state(4).astype(np.uint32, copy=False)


def _seed_cpu(numbers: NDArray[np.uint32]) -> None:
    random.seed(numbers.tobytes())
    np.random.seed(numbers)


def _wide(numbers: NDArray[np.uint32]) -> int:
    """63 bits of them: what torch takes for a seed without a sign."""
    return int(numbers[0]) << 31 ^ int(numbers[1])
