"""How an epoch's pictures make batches, and batches make steps of the optimizer: arithmetic, without a history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Batches:
    """The batches of an epoch.

    An epoch ends with a step of the optimizer, so that no gradient of one goes into the next.

    Args:
        pictures: that an epoch has.
        size: pictures a batch; the last batch of an epoch may have fewer.
        step_size: pictures a step of the optimizer, rounded to whole batches.
    """

    pictures: int
    size: int
    step_size: int

    @cached_property
    def passes(self) -> int:
        """Batches whose gradients make one step."""
        return max(1, round(self.step_size / self.size))

    @property
    def count(self) -> int:
        """Batches of an epoch."""
        return -(-self.pictures // self.size)

    def size_of(self, step: int) -> int:
        """Pictures of a batch (counted from 0)."""
        return min(self.size, self.pictures - step * self.size)

    def weight(self, step: int) -> float:
        """What the mean loss of a batch is multiplied with, so that a step's gradient is the mean of its pictures."""
        begin = step // self.passes * self.passes * self.size
        return self.size_of(step) / (min(self.pictures, begin + self.passes * self.size) - begin)

    def completes(self, step: int) -> bool:
        """Whether the optimizer's step comes after this batch."""
        return (step + 1) % self.passes == 0 or step + 1 == self.count

    def done(self, epoch: int, step: int) -> float:
        """Epochs' worth of pictures that were seen when this batch (both counted from 0) is done."""
        return epoch + min(1.0, (step + 1) * self.size / self.pictures)


def without_a_small_batch(pictures: int, asked: int, size: int, ranks: int = 1) -> int:
    """Pictures of an epoch, less those of a last batch of fewer than half as many as the others.

    Batch normalisation sees noise in few pictures, and nothing in the one that a rank might have. Other ones are left
    out in each epoch.

    Args:
        pictures: that there are.
        asked: pictures a batch as the run asks for them. They decide, so that a batch that was halved for want of
            memory sees the same pictures.
        size: pictures a batch now, of whose last one no rank may have one alone.
        ranks: that share a batch.
    """
    kept = without_a_rest(pictures, asked, -(-asked // 2)) if asked > 1 else pictures
    return without_a_rest(kept, size, 2 * ranks) if size > 1 else kept


def without_a_rest(pictures: int, batch_size: int, fewest: int) -> int:
    """Pictures of an epoch, less those of a last batch of fewer than `fewest`; all where there is no other batch."""
    rest = pictures % batch_size
    return pictures - rest if rest < min(fewest, pictures) else pictures
