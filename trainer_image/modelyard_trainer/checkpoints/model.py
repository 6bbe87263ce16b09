"""What a checkpoint is, and what a task asks of whatever keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, order=True)
class Position:
    """How far a training is. Positions are ordered as the training goes."""

    epochs: int
    """Whole epochs done: trained and validated."""
    step: int = 0
    """Batches done in the epoch after them; 0 at an epoch's boundary."""

    def __str__(self) -> str:
        return f"epoch {self.epochs}" if not self.step else f"epoch {self.epochs + 1}, batch {self.step}"


@dataclass(frozen=True)
class Snapshot:
    """All that a task needs to go on as if it had never stopped."""

    position: Position
    state: Mapping[str, Any]
    """Tensors on the CPU, which nobody changes any more, and plain values (numbers, strings, bytes, None, lists,
    tuples, dictionaries): what `torch.load(weights_only=True)` reads back. One with NaN in a tensor is not kept,
    unless that is below the key `gradients`."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Result files that belong to it, such as best.pt: name to path. Whoever saves a snapshot may replace such a file
    later, whole, by a rename; it must not write into it."""


class Checkpoints(Protocol):
    """Keeps snapshots of one run. The methods are called from the thread that trains."""

    def restore(self) -> Snapshot | None:
        """The newest snapshot that verifies; None where there is none.

        Its files lie in the scratch folder and are the task's: to move them from there spares their size.

        A task that cannot use it begins anew; that is understood from the next position that is asked about.

        Raises:
            RunError: the store does not answer. Beginning anew would throw away what it may hold.
        """

    def due(self, position: Position) -> bool:
        """Whether the spec's pace asks for a snapshot now. Quick enough for every batch."""

    def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot. Returns at once: a thread writes it. A newer one replaces one that still waits."""


class NoCheckpoints:
    """Keeps nothing."""

    def restore(self) -> Snapshot | None:
        """There is nothing to go on from."""
        return None

    def due(self, position: Position) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False

    def save(self, snapshot: Snapshot) -> None:
        """Forget it."""
