"""The numbers of a training at one step: all that is needed to go on bit for bit.

What follows from the step alone (learning rate, order and augmentation of the pictures, random numbers) is not among
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.loop.average import Average
from modelyard_trainer.loop.batches import Batches
from modelyard_trainer.loop.precision import Precision
from modelyard_trainer.loop.ranks import Ranks


@dataclass
class Numbers:
    """What changes while a training goes on.

    Attributes:
        model: the network that is trained.
        average: the running average of its weights, where one is kept.
        optimizer: its state belongs to the parameters of `model`.
        precision: mixed precision and its scale.
        sums: of this epoch, by name: losses and what else is told, each times its pictures; on the device.
        seen: pictures of this epoch.
        best: the best metric so far, and the epoch (counted from 1) that it is of.
    """

    model: nn.Module
    average: Average | None
    optimizer: Optimizer
    precision: Precision
    sums: dict[str, Tensor] = field(default_factory=dict)
    seen: int = 0
    best: float | None = None
    best_epoch: int = 0

    @property
    def published(self) -> nn.Module:
        """The network that is validated and published."""
        return self.average.model if self.average else self.model

    @property
    def means(self) -> dict[str, Tensor]:
        """Means of this epoch so far, on the device."""
        return {name: total / self.seen for name, total in self.sums.items()}

    def count(self, values: Mapping[str, Tensor], pictures: int) -> None:
        """Add what a batch brought. Waits for nothing."""
        for name, value in values.items():
            weighted = value.detach().float() * pictures
            self.sums[name] = self.sums[name] + weighted if name in self.sums else weighted
        self.seen += pictures

    def forget_epoch(self) -> None:
        """Begin to count anew."""
        self.sums, self.seen = {}, 0

    def capture(self, batches: Batches) -> dict[str, Any]:
        """A copy on the CPU, in full precision."""
        numbers: dict[str, Any] = copied(
            {
                "batch_size": batches.size,
                "model": self.model.state_dict(),
                "average": self.average.state() if self.average else None,
                "optimizer": self.optimizer.state_dict()["state"],
                "scaler": self.precision.scaler.state_dict(),
                "gradients": gradients_of(self.model),
                "sums": self.sums,
                "seen": self.seen,
                "best": self.best,
                "best_epoch": self.best_epoch,
            }
        )
        return numbers

    def restore(self, position: Position, state: Mapping[str, Any], batches: Batches) -> Position:
        """Take what `capture` gave at `position`.

        Rates, decay and momentum stay those that this attempt asks for. Where its batch size is another one, pictures
        count, not steps.

        Returns:
            The position in batches of this attempt.
        """
        self.model.load_state_dict(state["model"], strict=True)
        if self.average and state["average"]:
            self.average.restore(state["average"])
        restore_steps(self.model, self.optimizer, self.precision.scaler, state)
        device = next(self.model.parameters()).device
        self.sums = {name: value.to(device, copy=True) for name, value in state["sums"].items()}
        self.seen = state["seen"]
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        return in_batches_of(batches.size, position, state["batch_size"], batches.pictures)


def same_start(ranks: Ranks, start: Position, numbers: Numbers, batches: Batches) -> Position:
    """Give the numbers of the first rank to all; where it goes on from, which all do then."""
    if ranks.count == 1:
        return start
    position, state = ranks.from_first(lambda: (start, numbers.capture(batches)))
    return numbers.restore(position, state, batches) if ranks.rank else start


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    """The gradients that wait for a step of the optimizer, by parameter."""
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def restore_steps(
    model: nn.Module, optimizer: Optimizer, scaler: torch.amp.GradScaler, state: Mapping[str, Any]
) -> None:
    """Give optimizer, scaler and gradients what a snapshot holds of them; groups stay those that are asked for now."""
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
    if state["scaler"]:
        scaler.load_state_dict(state["scaler"])
    parameters = dict(model.named_parameters())
    for name, gradient in state["gradients"].items():
        parameters[name].grad = gradient.to(parameters[name].device, copy=True)


def in_batches_of(size: int, position: Position, was: int, pictures: int) -> Position:
    """A position that was taken with batches of `was` pictures, in batches of `size`, rounded down to whole ones."""
    if size == was:
        return position
    seen = position.step * was
    return Position(position.epochs, -(-pictures // size) if seen >= pictures else seen // size)


def copied(value: Any) -> Any:
    """A tree of tensors and plain values, its tensors copied to the CPU.

    Raises:
        TypeError: something in it is neither.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [copied(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint holds tensors and plain values, not {type(value).__name__}")
