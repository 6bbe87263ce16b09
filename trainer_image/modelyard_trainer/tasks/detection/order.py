"""Which pictures of an epoch come when, and together: functions of the seed and the place alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from modelyard_trainer.loop.drawing import permutation

_POOL_BATCHES = 8
"""Batches whose pictures a mosaic is made of, the picture's own among them; as many as ultralytics remembers."""
_POOL_PICTURES = 1000
"""Bounds what a worker remembers, as ultralytics does."""


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
        return permutation(self.seed, epoch, self.pictures) if self.shuffled else np.arange(self.pictures)

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
