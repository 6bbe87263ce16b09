"""Who is told of a training, and what keeps it from being lost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsFloat

from modelyard_api.outcome import Reason

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

ASK_EVERY = 3.0
"""Seconds between two questions, within an epoch, whether a snapshot is due."""


@dataclass(frozen=True)
class Watch:
    """What is called while training goes on. Epochs and steps count from 1."""

    step: Callable[[int, int, int, Mapping[str, Tensor]], None]
    epoch: Callable[[int, Mapping[str, float], bool, Mapping[str, Any]], None]
    """(epoch, metrics, whether it is the best so far, weights of the averaged model)"""


@dataclass(frozen=True)
class Guard:
    """What keeps a training from being lost."""

    asked: Callable[[], bool]
    """Whether somebody wants the process to stop."""
    due: Callable[[Position], bool]
    keep: Callable[[Position, dict[str, Any]], None]
    """Takes the numbers of the training at a position; returns at once."""


NOBODY = Watch(lambda _epoch, _step, _steps, _losses: None, lambda _epoch, _metrics, _best, _weights: None)
"""Is told of a training that another rank tells of."""
NOTHING = Guard(lambda: False, lambda _position: False, lambda _position, _numbers: None)
"""Keeps what another rank keeps."""


class Pace:
    """Asks whether a snapshot is due, and not at every batch.

    Args:
        due: is asked.
    """

    def __init__(self, due: Callable[[Position], bool]) -> None:
        self._due = due
        self._asked_at = -math.inf  # at once: whether an older snapshot was gone on from shows in what is asked

    def __call__(self, position: Position) -> bool:
        """Whether it is; within an epoch no, where it was asked a moment ago."""
        now = time.monotonic()
        if position.step and now - self._asked_at < ASK_EVERY:
            return False
        self._asked_at = now
        return self._due(position)


def refuse_divergence(epoch: int, losses: Mapping[str, SupportsFloat] | None) -> None:
    """End the attempt when a mean loss of this epoch (counted from 0) is not a number.

    Raises:
        RunError: Diverged.
    """
    values = {name: float(value) for name, value in (losses or {}).items()}
    if not all(math.isfinite(value) for value in values.values()):
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        raise RunError(
            Reason.DIVERGED,
            f"the loss is not a number any more in epoch {epoch + 1} ({shown}); a lower learning rate or a longer "
            "warm-up would be right",
        )
