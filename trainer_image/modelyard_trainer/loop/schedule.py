"""The learning rate at each step: a function of the pictures seen, so that there is nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from modelyard_api.spec import DEFAULT_GAMMA, ScheduleName, Training
from torch.optim import Optimizer


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up, then a fall from the initial learning rate.

    Args:
        name: shape of the fall.
        epochs: of the training.
        warmup_epochs: over how many of them the rate rises to what it should be.
        final_fraction: the rate at the end of a cosine or a line, as a fraction of the initial one.
        restart_epochs: after how many epochs a cosine begins anew (warm restarts: Loshchilov and Hutter 2017).
        milestones: epochs after which the rate is multiplied with `gamma`.
        step_epochs: epochs after each of which it is; 0 for none.
        gamma: that factor.
        begins: epochs of another schedule before it.
    """

    name: ScheduleName
    epochs: int
    warmup_epochs: float
    final_fraction: float
    restart_epochs: int | None = None
    milestones: tuple[int, ...] = ()
    step_epochs: int = 0
    gamma: float = DEFAULT_GAMMA
    begins: int = 0

    @classmethod
    def of(cls, training: Training) -> Self:
        """The schedule that a spec asks for."""
        asked = training.schedule
        return cls(
            name=asked.name,
            epochs=training.epochs,
            warmup_epochs=asked.warmup_epochs,
            final_fraction=(
                asked.final_fraction if asked.eta_min is None else asked.eta_min / training.optimizer.learning_rate
            ),
            restart_epochs=asked.restart_epochs,
            milestones=tuple(asked.milestones),
            step_epochs=asked.step_epochs or 0,
            gamma=DEFAULT_GAMMA if asked.gamma is None else asked.gamma,
        )

    def factor(self, done: float) -> float:
        """The rate, as a fraction of the initial one, of the step that completes `done` epochs (above 0)."""
        if done < self.warmup_epochs:
            return done / self.warmup_epochs
        if self.name in {ScheduleName.SINGLE_STEP, ScheduleName.MULTI_STEP}:
            return self.gamma ** self._steps_before(done)
        since, fall = done - self.warmup_epochs, max(self.epochs - self.warmup_epochs, 1e-9)
        if self.restart_epochs:
            # The step that ends a fall belongs to it, and not to the next one.
            since -= self.restart_epochs * max(0, math.ceil(since / self.restart_epochs) - 1)
            fall = self.restart_epochs
        share = min(1.0, since / fall)
        left = (1 + math.cos(math.pi * share)) / 2 if self.name is ScheduleName.COSINE else 1 - share
        return self.final_fraction + (1 - self.final_fraction) * left

    def _steps_before(self, done: float) -> int:
        """How often the rate was lowered before the epoch in which the step that completes `done` epochs lies."""
        epoch = math.ceil(done) - 1
        by_interval = epoch // self.step_epochs if self.step_epochs else 0
        return by_interval + sum(epoch >= milestone for milestone in self.milestones)

    def apply(self, optimizer: Optimizer, done: float) -> None:
        """Set the optimizer's rates for that step."""
        factor = self.factor(done - self.begins)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
