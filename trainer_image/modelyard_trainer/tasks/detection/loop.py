"""The loop over epochs and batches: ultralytics' arithmetic, and a way to stop at any batch and go on from there.

Imports ultralytics: `offline.prepare` comes first.
"""

from __future__ import annotations

from typing import Any

import torch
from ultralytics.utils.torch_utils import autocast, unwrap_model

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import Interrupted
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.loop.freezing import Freezing
from modelyard_trainer.loop.guard import Guard, Pace, Watch, refuse_divergence
from modelyard_trainer.tasks.detection.schedule import Schedule
from modelyard_trainer.tasks.detection.state import capture

METRICS = {
    "metrics/mAP50(B)": "mAP50",
    "metrics/mAP50-95(B)": "mAP50-95",
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
}
_CLEAR_ABOVE = 0.5
"""Share of the GPU's memory in use above which what torch keeps for later is given back, as ultralytics does."""


class EpochLoop:
    """Trains and validates epoch after epoch.

    Args:
        trainer: a YardTrainer that is set up.
        watch: who is told.
        guard: who keeps snapshots.
        freezing: what is not trained.
    """

    def __init__(self, trainer: Any, watch: Watch, guard: Guard, freezing: Freezing) -> None:
        self._trainer, self._watch, self._guard, self._freezing = trainer, watch, guard, freezing
        self._steps, self._ranks = len(trainer.train_loader), trainer.ranks
        self._schedule = Schedule(
            curve=trainer.lf,
            steps=self._steps,
            warmup_steps=trainer._get_warmup_iterations(self._steps),
            warmup_bias_rate=trainer.args.warmup_bias_lr,
            warmup_momentum=trainer.args.warmup_momentum,
            momentum=trainer.args.momentum,
            accumulate=trainer.accumulate,
        )
        self._due = Pace(guard.due)

    def run(self, start: Position) -> None:
        """Train from `start` to the last epoch, or to where patience ends.

        Raises:
            Interrupted: it was asked to stop; a snapshot was kept.
            RunError: Diverged.
        """
        trainer, step = self._trainer, start.step
        for epoch in range(start.epochs, trainer.epochs):
            if trainer.stop:
                break
            if self._guard.asked():
                if epoch > start.epochs:
                    self._keep(Position(epoch))
                raise Interrupted
            trainer.epoch = epoch
            self._train(epoch, step)
            self._validate(epoch)
            self._end(epoch)
            step = 0

    def _train(self, epoch: int, first: int) -> None:
        trainer = self._trainer
        trainer._model_train()
        self._freezing.begin(epoch)
        replica = self._ranks.replica(unwrap_model(trainer.model), unused=True)
        if not first:
            trainer.tloss = None
        for step, batch in enumerate(trainer.train_loader.epoch(epoch, first) if first < self._steps else (), first):
            self._step(epoch, step, replica, batch)
            self._watch.step(epoch + 1, step + 1, self._steps, trainer.tloss)
            self._keep_if_wanted(Position(epoch, step + 1))
        self._schedule.apply(trainer.optimizer, epoch, self._steps - 1)  # nothing new, unless there was no step

    def _step(self, epoch: int, step: int, replica: Any, batch: dict[str, Any]) -> None:
        """Nothing in here waits for the GPU but ultralytics' loss, which reads the strides and counts the objects."""
        trainer, ranks = self._trainer, self._ranks
        trainer.accumulate = self._schedule.apply(trainer.optimizer, epoch, step)
        draw_from(trainer.args.seed, Purpose.STEP, epoch, step * ranks.count + ranks.rank)
        pictures = min(trainer.batch_size, trainer.pictures - step * trainer.batch_size)
        # An accumulation may go over the end of an epoch: its gradients are to be the same in all ranks throughout.
        with ranks.step(replica, pictures, completes=True):
            with autocast(torch.bfloat16 if trainer.args.amp == "bf16" else trainer.amp, device=trainer.device.type):
                loss, items = replica(trainer.preprocess_batch(batch))
                loss = loss.sum()
                # It is a sum over pictures, and the ranks' gradients are averaged.
                trainer.loss = loss * ranks.count if ranks.count > 1 else loss
                trainer.loss_items = ranks.means(items)
                trainer.loss_names = trainer.loss_names or tuple(items)
                mean, items = trainer.tloss, trainer.loss_items
                trainer.tloss = (
                    items if mean is None else {k: (mean[k] * step + v) / (step + 1) for k, v in items.items()}
                )
            trainer.scaler.scale(trainer.loss).backward()
        trainer.pending += 1
        if trainer.pending >= trainer.accumulate:
            trainer.optimizer_step()
            trainer.pending = 0

    def _validate(self, epoch: int) -> None:
        trainer = self._trainer
        refuse_divergence(epoch, trainer.tloss)
        criterion = unwrap_model(trainer.model).criterion
        if hasattr(criterion, "update"):
            criterion.update()
        trainer.lr = {f"lr/pg{number}": group["lr"] for number, group in enumerate(trainer.optimizer.param_groups)}
        trainer.ema.update_attr(trainer.model, include=["yaml", "nc", "args", "names", "stride", "class_weights"])
        trainer._clear_memory(_CLEAR_ABOVE)
        try:
            trainer.metrics, trainer.fitness = trainer.validate()
        except Interrupted:
            self._keep(Position(epoch, self._steps))
            raise

    def heed(self) -> None:
        """End the validation when somebody wants the process to stop."""
        if self._guard.asked():
            raise Interrupted

    def _end(self, epoch: int) -> None:
        trainer = self._trainer
        trainer.stop = bool(trainer.stopper(epoch + 1, trainer.fitness))
        metrics = {name: float(trainer.metrics[key]) for key, name in METRICS.items()}
        metrics |= {f"train/{name}": float(value) for name, value in trainer.tloss.items()}
        metrics |= {name: float(value) for name, value in trainer.metrics.items() if name.startswith("val/")}
        metrics["lr"] = float(trainer.lr["lr/pg0"])
        is_best = trainer.best_fitness == trainer.fitness
        self._watch.epoch(epoch + 1, metrics, is_best, trainer.ema.ema.state_dict())
        trainer._clear_memory(_CLEAR_ABOVE)
        trainer.tloss = None
        self._keep_if_wanted(Position(epoch + 1))

    def _keep_if_wanted(self, position: Position) -> None:
        asked = self._guard.asked()
        if asked or self._due(position):
            self._keep(position)
        if asked:
            raise Interrupted

    def _keep(self, position: Position) -> None:
        # A training that went wrong must not be gone back to.
        refuse_divergence(position.epochs, self._trainer.tloss)
        self._guard.keep(position, capture(self._trainer))
