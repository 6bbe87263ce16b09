"""How often the right identity is among the likeliest. Imports torch."""

from __future__ import annotations

from torch import Tensor

TOP = 5
"""Of how many; of fewer where there are fewer identities."""


def hits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each label (n,) is the highest of its logits (n, classes), and whether it is among the five highest."""
    found = logits.topk(min(TOP, logits.shape[1]), dim=1).indices == labels[:, None]
    return found[:, 0], found.any(1)
