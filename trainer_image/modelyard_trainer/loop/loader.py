"""Batches in an order that has no history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch.utils.data import DataLoader, Sampler

Place = tuple[int, int]
"""(epoch, position in its order), both counted from 0."""
_PREFETCHED = 4
"""Batches that each worker has ready, as with ultralytics."""


class Pictures(Protocol):
    """Training pictures by their place in the training."""

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
    """

    def __init__(
        self,
        pictures: Pictures,
        batch_size: int,
        workers: int,
        *,
        collate: Callable[[list[Any]], Any],
        pin_memory: bool,
    ) -> None:
        self._places = _Places(len(pictures))
        super().__init__(
            pictures,  # type: ignore[arg-type]  # a Dataset has no protocol of its own
            batch_size=batch_size,
            sampler=self._places,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=_PREFETCHED if workers else None,
            collate_fn=collate,
            pin_memory=pin_memory,
        )

    def epoch(self, epoch: int, step: int = 0) -> Iterator[Any]:
        """The batches of an epoch (counted from 0), without the first `step` ones."""
        assert self.batch_size is not None  # noqa: S101 - it was given above
        self._places.begin(epoch, step * self.batch_size)
        return iter(self)

    def close(self) -> None:
        """End the workers."""
        if self._iterator is not None:
            self._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._iterator = None


class _Places(Sampler[Place]):
    """The places of one epoch from a position on."""

    def __init__(self, pictures: int) -> None:
        self._pictures = pictures
        self._epoch = self._start = 0

    def begin(self, epoch: int, start: int) -> None:
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[Place]:
        epoch = self._epoch
        return ((epoch, position) for position in range(self._start, self._pictures))

    def __len__(self) -> int:
        return self._pictures
