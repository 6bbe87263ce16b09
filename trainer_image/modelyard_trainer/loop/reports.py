"""How far a training is, told without making it wait at every step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelyard_trainer.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

_SECONDS = 0.5
"""How often losses are read while an epoch goes on: reading waits for the GPU."""


class StepReports:
    """Tells `progress` of steps, twice a second. Call it after each."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told = 0.0

    def __call__(self, epoch: int, step: int, steps: int, losses: Mapping[str, Tensor]) -> None:
        """The `step`th of `steps` batches of an epoch is done (both counted from 1), with these mean losses."""
        now = time.monotonic()
        if now - self._told >= _SECONDS or step == steps:
            self._told = now
            shown = {name.removesuffix("_loss"): float(value) for name, value in losses.items()}
            self._progress.step(epoch, step, steps, shown)
