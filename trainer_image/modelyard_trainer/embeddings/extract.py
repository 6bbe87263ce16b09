"""Embeddings of many pictures. Imports torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from modelyard_trainer.imaging.pictures import PlainPictures, as_input, collate
from modelyard_trainer.imaging.squares import Squares
from modelyard_trainer.loop.loader import EpochLoader


class Extractor:
    """Embeds the same pictures whenever it is asked: the same numbers come of the same weights.

    Args:
        squares: the pictures, in their order; they may be rectangles as well, all of one size.
        batch_size: pictures at once.
        workers: processes that load pictures.
        device: where the network is.
    """

    def __init__(self, squares: Squares, *, batch_size: int, workers: int, device: torch.device) -> None:
        self._pictures, self._device = len(squares), device
        self._loader = EpochLoader(
            PlainPictures(squares), batch_size, workers, collate=collate, pin_memory=device.type == "cuda"
        )

    @torch.no_grad()
    def embed(self, network: Callable[[Tensor], Tensor], heed: Callable[[], None] = lambda: None) -> Tensor:
        """(pictures, width) of a network that is in evaluation mode, on its device; `heed` comes before each batch."""
        found: Tensor | None = None
        for batch, numbers in self._loader.epoch(0):
            heed()
            embeddings = network(as_input(batch, self._device))
            if found is None:
                found = embeddings.new_empty((self._pictures, embeddings.shape[1]))
            found[numbers.to(self._device)] = embeddings
        assert found is not None  # noqa: S101 - there is at least one picture
        return found

    def close(self) -> None:
        """End the loader's processes."""
        self._loader.close()
