"""How far the test task's training is, and the same as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from modelyard_api.report import ReportedBest
from modelyard_trainer.tasks.base import Epoch
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass
class Course:
    """All that the next batch depends on, and what there is to tell of those before it."""

    weights: Matrix
    draw: np.random.Generator
    """As it was before it drew the order of the running epoch, once the course is made of a snapshot."""
    epochs: list[Epoch] = field(default_factory=list)
    best: ReportedBest | None = None
    losses: list[float] = field(default_factory=list)
    """Of the batches of the running epoch."""

    @classmethod
    def beginning(cls, seed: int, inputs: int, classes: int) -> Self:
        """Small random weights."""
        draw = np.random.default_rng(seed)
        return cls(draw.normal(0, 0.01, (inputs, classes)), draw)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """What `state` wrote."""
        draw = np.random.default_rng()
        draw.bit_generator.state = state["draw"]
        best = state["best"]
        return cls(
            weights=np.array(state["weights"]),
            draw=draw,
            epochs=[Epoch(**epoch) for epoch in state["epochs"]],
            best=None if best is None else ReportedBest(**best),
            losses=list(state["losses"]),
        )

    def state(self, draw: Mapping[str, Any]) -> dict[str, Any]:
        """The course as plain values that nobody changes any more; `draw` is the generator's before the epoch."""
        return {
            "weights": self.weights.tolist(),
            "draw": dict(draw),
            "epochs": [{"number": e.number, "seconds": e.seconds, "metrics": dict(e.metrics)} for e in self.epochs],
            "best": self.best.model_dump() if self.best else None,
            "losses": list(self.losses),
        }

    @property
    def seconds(self) -> float:
        """Seconds that the epochs took."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of the last epoch."""
        return self.epochs[-1].metrics if self.epochs else {}
