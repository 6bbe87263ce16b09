"""When a checkpoint is due."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelyard_api.base import seconds
from modelyard_api.checkpoints import CheckpointPolicy

from modelyard_trainer.checkpoints.model import Position


class Pace:
    """Asks for a checkpoint as often as the spec says: at the end of epochs, and inside those that last longer.

    Args:
        policy: `spec.checkpoints`.
        epochs: epochs wanted; the end of the last one always asks, since exports may fail after it.
        clock: a monotonic clock, seconds.
    """

    def __init__(self, policy: CheckpointPolicy, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._every_epochs, self._epochs = seconds(policy.every), policy.every_epochs, epochs
        self._clock = clock
        self._last = clock()
        self._running, self._running_since = -1, self._last

    def due(self, position: Position) -> bool:
        """Whether a checkpoint should be taken at `position`."""
        now = self._clock()
        if position.epochs != self._running:
            self._running, self._running_since = position.epochs, now
        long_ago = now - self._last >= self._every
        if position.step:
            # An epoch that is shorter than the pace is left whole: its end is near.
            return long_ago and now - self._running_since >= self._every
        if not position.epochs:
            return False
        if self._every_epochs is not None and position.epochs % self._every_epochs == 0:
            return True
        return long_ago or position.epochs >= self._epochs

    def taken(self) -> None:
        """A checkpoint was taken just now."""
        self._last = self._clock()
