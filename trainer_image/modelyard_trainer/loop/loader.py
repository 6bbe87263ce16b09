"""Batches in an order that has no history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch.utils.data import DataLoader, Sampler

from modelyard_trainer.loop.drawing import Place
from modelyard_trainer.loop.ranks import ALONE, Ranks

_PREFETCHED = 4
"""Batches that each worker has ready, as with ultralytics."""


class Pictures(Protocol):
    """Training pictures by their place in the training; with `__getitems__`, a batch of them at a time."""

    def __getitem__(self, place: Place) -> Any:
        """The picture at a place, augmented."""

    def __len__(self) -> int:
        """How many an epoch has."""


class EpochLoader(DataLoader[Any]):
    """Batches of one epoch at a time, from any step on. Workers stay for the next epoch, and wait for it.

    Args:
        pictures: by their place; one place always gives the same.
        batch_size: pictures a batch; the last one of an epoch may be smaller.
        workers: processes that load them; none loads them where they are asked for.
        collate: makes a batch of a list of pictures.
        pin_memory: whether batches lie where a GPU fetches them from quickly.
        ranks: who share each batch; only this one's share is loaded.
        count: how many of each epoch's pictures are used; all of them where it is not given.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch_size: int,
        workers: int,
        *,
        collate: Callable[[list[Any]], Any],
        pin_memory: bool,
        ranks: Ranks = ALONE,
        count: int | None = None,
    ) -> None:
        self._places = _Places(len(pictures) if count is None else count, batch_size, ranks)
        super().__init__(
            pictures,  # type: ignore[arg-type]  # a Dataset has no protocol of its own
            batch_size=len(ranks.share(batch_size)),
            sampler=self._places,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=_PREFETCHED if workers else None,
            collate_fn=collate,
            pin_memory=pin_memory,
        )

    def epoch(self, epoch: int, step: int = 0) -> Iterator[Any]:
        """The batches of an epoch (counted from 0), without the first `step` ones."""
        self._places.begin(epoch, step)
        return iter(self)

    def close(self) -> None:
        """End the workers."""
        if self._iterator is not None:
            self._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._iterator = None


class _Places(Sampler[Place]):
    """This rank's places of one epoch from a step on. Of each batch but the last one there are as many."""

    def __init__(self, pictures: int, batch_size: int, ranks: Ranks) -> None:
        self._pictures, self._batch_size, self._ranks = pictures, batch_size, ranks
        self._epoch = self._first = 0

    def begin(self, epoch: int, first: int) -> None:
        self._epoch, self._first = epoch, first

    def __iter__(self) -> Iterator[Place]:
        epoch, size = self._epoch, self._batch_size
        for begin in range(self._first * size, self._pictures, size):
            for position in self._ranks.share(min(size, self._pictures - begin)):
                yield epoch, begin + position

    def __len__(self) -> int:
        whole, rest = divmod(self._pictures, self._batch_size)
        return whole * len(self._ranks.share(self._batch_size)) + len(self._ranks.share(rest))
