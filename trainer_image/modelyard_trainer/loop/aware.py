"""The epochs after a training in which its network learns to compute in 8 bits. Imports torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from modelyard_api.quantization import Quantization
from modelyard_api.spec import MixedPrecision, ScheduleName
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.loop.batches import Batches
from modelyard_trainer.loop.epochs import EpochLoop, Learner, Plan
from modelyard_trainer.loop.guard import Guard, Watch
from modelyard_trainer.loop.history import History
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.loop.optimizer import build_optimizer
from modelyard_trainer.loop.precision import Precision
from modelyard_trainer.loop.reports import StepReports
from modelyard_trainer.loop.schedule import Schedule
from modelyard_trainer.loop.state import Numbers
from modelyard_trainer.quantising.file import QuantisedWeights
from modelyard_trainer.quantising.rounding import Rounding
from modelyard_trainer.quantising.scheme import Scheme, scheme_of
from modelyard_trainer.tasks.base import TaskContext

_log = logging.getLogger("modelyard.training")
_KEY = "quantised"
"""What a snapshot's numbers call what only these epochs have."""
_FINAL_FRACTION = 0.01


@dataclass(frozen=True, eq=False)
class Deployed:
    """The part of a network that is exported, and so learns to compute in 8 bits.

    Attributes:
        network: part of the model that is trained, or all of it; in evaluation mode it takes pictures alone.
        size: height and width of these, in pixels.
        restore: gives the model the weights that a best.pt holds.
    """

    network: nn.Module
    size: tuple[int, int]
    restore: Callable[[Mapping[str, torch.Tensor]], None]


def began_in(snapshot: Snapshot | None) -> bool:
    """Whether a snapshot is of these epochs."""
    return snapshot is not None and _KEY in snapshot.state["training"]


@dataclass(frozen=True, eq=False)
class Aware:
    """Everything that these epochs need of the training before them.

    Attributes:
        context: all that a task is given.
        asked: what the spec says of them.
        model: that was trained.
        deployed: what of it is exported.
        learner: losses and metrics.
        metric: what epochs are compared by.
        loader: training batches by epoch; it is closed in the end.
        batches: their arithmetic.
        history: of all epochs.
        keep: keeps numbers at a position.
        device: as torch calls it.
    """

    context: TaskContext
    asked: Quantization
    model: nn.Module
    deployed: Deployed
    learner: Learner
    metric: str
    loader: EpochLoader
    batches: Batches
    history: History
    keep: Callable[[Position, dict[str, Any]], None]
    device: str

    def run(self, snapshot: Snapshot | None) -> None:
        """Train from the best weights, or from where a snapshot of these epochs ends.

        Raises:
            Interrupted: it was asked to stop; a snapshot was kept.
            RunError: Diverged.
        """
        taken = snapshot.state["training"] if snapshot else None
        if taken:
            first, scheme = int(taken[_KEY]["first"]), Scheme.of(taken[_KEY]["scheme"])
        else:
            first = len(self.history.epochs)
            self.deployed.restore(self.history.best_weights())
            scheme = scheme_of(self.deployed.network, self._example)
        numbers = self._numbers(scheme)
        start = numbers.restore(snapshot.position, taken, self.batches) if snapshot and taken else Position(first)
        training = self.context.document.training
        epochs = first + self.asked.epochs
        known = {_KEY: {"first": first, "scheme": scheme.state()}}
        _log.info("training %d layers in 8 bits from epoch %d on", len(scheme.layers), first + 1)
        loop = EpochLoop(
            learner=self.learner,
            loader=self.loader,
            batches=self.batches,
            schedule=Schedule(ScheduleName.COSINE, self.asked.epochs, 0, _FINAL_FRACTION, begins=first),
            numbers=numbers,
            freezing=Steadying(self.model, epochs - resting(self.asked.epochs)),
            plan=Plan(epochs, 0, self.metric, training.seed),
            watch=Watch(
                StepReports(self.context.progress),
                lambda epoch, metrics, is_best, _: self.history.add_quantised(
                    epoch,
                    metrics,
                    QuantisedWeights(scheme, self.deployed.network.state_dict(), epoch, metrics) if is_best else None,
                ),
            ),
            guard=Guard(
                lambda: self.context.interruption.asked,
                self.context.checkpoints.due,
                lambda position, state: self.keep(position, {**state, **known}),
            ),
        )
        try:
            loop.run(start)
        finally:
            self.loader.close()

    def _numbers(self, scheme: Scheme) -> Numbers:
        scheme.apply(self.deployed.network)
        deployed = {id(parameter) for parameter in self.deployed.network.parameters()}
        for parameter in self.model.parameters():
            # A head that is not deployed stays what it was: it tells embeddings of the float network apart, too.
            if id(parameter) not in deployed:
                parameter.requires_grad_(False)
        training = self.context.document.training
        rate = training.optimizer.learning_rate * self.asked.learning_rate_factor
        optimizer = training.optimizer.model_copy(update={"learning_rate": rate})
        return Numbers(
            model=self.model,
            average=None,
            optimizer=build_optimizer(self.model, optimizer),
            # Steps of 1/255 of a range and 16-bit floats would be rounded twice.
            precision=Precision(MixedPrecision.DISABLED, self.device, training.gradient_clip),
        )

    @property
    def _example(self) -> torch.Tensor:
        drawn = torch.rand(2, 3, *self.deployed.size, generator=torch.Generator().manual_seed(0))
        return drawn.to(self.device)


def resting(epochs: int) -> int:
    """How many of the last epochs have ranges that no longer follow: a quarter of them, and not the only one."""
    return -(-epochs // 4) if epochs > 1 else 0


class Steadying:
    """Keeps still what moves too much for 8 bits: statistics of normalisation always, ranges from an epoch on.

    Args:
        model: some layers of which compute in 8 bits.
        epochs: (of the whole training) after which ranges no longer follow.
    """

    def __init__(self, model: nn.Module, epochs: int) -> None:
        self._epochs = epochs
        self._norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        self._ranges = [module for module in model.modules() if isinstance(module, Rounding)]

    def begin(self, epoch: int) -> None:
        """Make the network ready for an epoch (counted from 0); after `model.train()`, before each one."""
        for norm in self._norms:
            norm.eval()
        for each in self._ranges:
            each.follows = epoch < self._epochs
