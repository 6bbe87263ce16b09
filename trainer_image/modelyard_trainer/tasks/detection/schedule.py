"""Learning rate, momentum and accumulation at each step: functions of the step, so that there is nothing to restore."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """ultralytics' schedule: a curve over the epochs, and a warm-up over the first steps.

    Args:
        curve: factor of the learning rate by epoch (counted from 0).
        steps: batches an epoch.
        warmup_steps: over how many steps learning rate, momentum and accumulation rise to what they should be.
        warmup_bias_rate: learning rate of the biases at the first step; all others begin at 0.
        warmup_momentum: momentum at the first step.
        momentum: momentum after the warm-up.
        accumulate: batches whose gradients are added up for one optimizer step, after the warm-up.
    """

    curve: Callable[[int], float]
    steps: int
    warmup_steps: int
    warmup_bias_rate: float
    warmup_momentum: float
    momentum: float
    accumulate: int

    def apply(self, optimizer: Any, epoch: int, step: int) -> int:
        """Set the optimizer for this step, and tell how many batches are added up."""
        done = epoch * self.steps + step
        warming = self.warmup_steps > 0 and done <= self.warmup_steps
        for group in optimizer.param_groups:
            rate = group["initial_lr"] * self.curve(epoch)
            begin = self.warmup_bias_rate if group.get("param_group") == "bias" else 0.0
            group["lr"] = self._rising(done, begin, rate) if warming else rate
            if warming and "momentum" in group:
                group["momentum"] = self._rising(done, self.warmup_momentum, self.momentum)
        return max(1, round(self._rising(done, 1, self.accumulate))) if warming else self.accumulate

    def _rising(self, done: int, begin: float, end: float) -> float:
        return float(np.interp(done, [0, self.warmup_steps], [begin, end]))
