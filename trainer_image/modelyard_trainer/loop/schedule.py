"""The learning rate at each step: a function of the pictures seen, so that there is nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelyard_api.spec import ScheduleName
from torch.optim import Optimizer


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up, then a fall from the initial learning rate to a fraction of it.

    Args:
        name: shape of the fall.
        epochs: of the training.
        warmup_epochs: over how many of them the rate rises to what it should be.
        final_fraction: the rate at the very end, as a fraction of the initial one.
    """

    name: ScheduleName
    epochs: int
    warmup_epochs: float
    final_fraction: float

    def factor(self, done: float) -> float:
        """The rate, as a fraction of the initial one, of the step that completes `done` epochs (above 0)."""
        if done < self.warmup_epochs:
            return done / self.warmup_epochs
        share = min(1.0, (done - self.warmup_epochs) / max(self.epochs - self.warmup_epochs, 1e-9))
        left = (1 + math.cos(math.pi * share)) / 2 if self.name is ScheduleName.COSINE else 1 - share
        return self.final_fraction + (1 - self.final_fraction) * left

    def apply(self, optimizer: Optimizer, done: float) -> None:
        """Set the optimizer's rates for that step."""
        factor = self.factor(done)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
