"""The processes that train one model together, each on its share of every batch: a rank each, as torch calls it.

Here they are one, and nothing that is asked of them does anything; `several.py` has the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Value = TypeVar("Value")


class Ranks:
    """One process alone.

    All of them run the same loop over the same epochs. The first one, whose rank is 0, is the process that was started:
    it alone tells how far the training is, validates, keeps checkpoints and hears signals. What depends on any of that
    the others are told by `from_first`; when it ends, for whatever reason, it ends them.
    """

    rank, count = 0, 1

    def share(self, pictures: int) -> range:
        """Which pictures of a batch (counted from 0) are this rank's. The shares make up the batch, in its order."""
        return range(pictures * self.rank // self.count, pictures * (self.rank + 1) // self.count)

    def replica(self, model: nn.Module, *, unused: bool = False) -> nn.Module:
        """The model as it is to be called in training; to be asked for whenever other parameters are to learn.

        Args:
            model: of this rank.
            unused: whether some that learn may have no part in a loss.
        """
        del unused
        return model

    def step(self, replica: nn.Module, pictures: int, *, completes: bool) -> AbstractContextManager[object]:
        """A block that holds the forward and the backward pass of a batch.

        Args:
            replica: what is called in it.
            pictures: of the whole batch.
            completes: whether the optimizer's step comes next; gradients of several batches are each rank's own until
                then.
        """
        del replica, pictures, completes
        return nullcontext()

    @property
    def weight(self) -> float:
        """What the mean loss of a share is multiplied with in `step`, so that the gradient is the whole batch's."""
        return 1.0

    def means(self, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Means over the batch of what are means over a share; in `step`, and waits for no GPU."""
        return values

    def whole(self, rows: Tensor) -> Tensor:
        """The rows that all shares have together, in the order of the batch; in `step`. Gradients flow back."""
        return rows

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What `make` gives to the first rank: plain values that can be pickled. The others wait for it."""
        return make()

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """A block that the others begin when the first has ended it."""
        if self.rank:
            self.from_first(lambda: None)
        yield
        if not self.rank:
            self.from_first(lambda: None)


ALONE = Ranks()
