"""The numbers of a training at one step: all that is needed to go on bit for bit. Imports torch.

What follows from the step alone (learning rate, order and augmentation of the pictures, weights of the losses) is not
among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultralytics.utils.torch_utils import unwrap_model

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.loop.state import copied, gradients_of, in_batches_of, restore_steps


def capture(trainer: Any) -> dict[str, Any]:
    """A copy of the trainer's numbers, on the CPU, in full precision."""
    model = unwrap_model(trainer.model)
    stopper = trainer.stopper
    numbers: dict[str, Any] = copied(
        {
            "batch_size": trainer.batch_size,
            "model": model.state_dict(),
            "ema": trainer.ema.ema.state_dict(),
            "ema_updates": trainer.ema.updates,
            "optimizer": trainer.optimizer.state_dict()["state"],
            "scaler": trainer.scaler.state_dict(),
            "gradients": gradients_of(model),
            "pending": trainer.pending * trainer.batch_size,  # pictures since the last optimizer step
            "losses": trainer.tloss or {},
            "best_fitness": trainer.best_fitness,
            "stopper": {
                "best_fitness": stopper.best_fitness,
                "best_epoch": stopper.best_epoch,
                "possible_stop": stopper.possible_stop,
            },
            "stop": trainer.stop,
        }
    )
    return numbers


def restore(trainer: Any, position: Position, state: Mapping[str, Any]) -> Position:
    """Give a trainer that is set up the numbers that `capture` took at `position`.

    Rates, decay and momentum stay those that this attempt asks for. Where its batch size is another one, pictures
    count, not steps.

    Returns:
        The position in steps of this trainer.
    """
    model = unwrap_model(trainer.model)
    model.load_state_dict(state["model"], strict=True)
    trainer.ema.ema.load_state_dict(state["ema"], strict=True)
    trainer.ema.updates = state["ema_updates"]
    restore_steps(model, trainer.optimizer, trainer.scaler, state)
    trainer.pending = state["pending"] // trainer.batch_size
    trainer.best_fitness = state["best_fitness"]
    trainer.stopper.__dict__.update(state["stopper"])
    trainer.stop = state["stop"]
    _restore_criterion(model, position.epochs)
    here = in_batches_of(trainer.batch_size, position, state["batch_size"], len(trainer.train_loader.dataset))
    if here.step:
        trainer.tloss = {name: value.to(trainer.device, copy=True) for name, value in state["losses"].items()}
        # The validator asks which losses there are.
        trainer.loss_items, trainer.loss_names = trainer.tloss, tuple(trainer.tloss)
    return here


def _restore_criterion(model: Any, epochs: int) -> None:
    """The losses of two heads change their weights with every epoch."""
    model.criterion = model.init_criterion()
    if epochs and hasattr(model.criterion, "update"):
        model.criterion.updates = epochs - 1
        model.criterion.update()
