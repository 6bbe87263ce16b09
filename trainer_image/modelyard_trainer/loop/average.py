"""A running average of the weights (EMA)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """Follows a model's weights, and is a model itself.

    Args:
        model: whose weights are followed.
        decay: share of itself that the average keeps at each step. In the first steps it keeps less, so that the random
            start is forgotten: (1 + n) / (10 + n) in the nth, as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Follow one step. Waits for nothing."""
        self.updates += 1
        keep = min(self._decay, (1 + self.updates) / (10 + self.updates))
        pairs = list(zip(self.model.state_dict().values(), model.state_dict().values(), strict=True))
        floats: list[tuple[Tensor, Tensor]] = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mine for mine, _ in floats], [theirs for _, theirs in floats], 1 - keep)
        for mine, theirs in pairs:
            if not mine.is_floating_point():
                mine.copy_(theirs)  # counters of batch normalisation

    def state(self) -> dict[str, Any]:
        """What a snapshot holds of it."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take what `state` gave."""
        self.model.load_state_dict(state["model"], strict=True)
        self.updates = state["updates"]
