"""What every network of ours begins with: pictures between 0 and 1 as its backbone wants to see them. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalising(nn.Module):
    """A network that takes pictures between 0 and 1: what its backbone wants to see is part of it.

    Args:
        mean, std: of each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) as the backbone takes it."""
        return (images - self.mean) / self.std
