"""The loop over epochs and batches, and a way to stop at any batch and go on from there. It knows no task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import Interrupted
from modelyard_trainer.loop.batches import Batches
from modelyard_trainer.loop.compiling import as_it_is
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.loop.guard import Guard, Pace, Watch, refuse_divergence
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.loop.ranks import ALONE, Ranks
from modelyard_trainer.loop.schedule import Schedule
from modelyard_trainer.loop.state import Numbers

READ_EVERY = 50
"""Batches between two looks at whether the losses are numbers still: a look waits for the GPU."""


class Readying(Protocol):
    """What makes a network ready for an epoch."""

    def begin(self, epoch: int) -> None:
        """Called before each epoch (counted from 0), after `model.train()`."""


class Learner(Protocol):
    """What a task brings."""

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss of a batch, and means of what else is told of it, such as `loss`.

        It is called with autocast and random numbers set for this very step; nothing in here waits for the GPU. Of
        several ranks each is given its share.
        """

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        """The metrics of a model on the validation pictures. `heed` is called often; it may raise."""


@dataclass(frozen=True)
class Plan:
    """How long and how it is trained.

    Attributes:
        epochs: at most.
        patience: epochs without a better metric after which it ends; 0 never does.
        metric: which of the learner's metrics epochs are compared by; higher is better.
        seed: of all random numbers.
        evaluate_every: epochs from one validation to the next; the last epoch always has one.
    """

    epochs: int
    patience: int
    metric: str
    seed: int
    evaluate_every: int = 1

    def validates(self, epoch: int) -> bool:
        """Whether an epoch (counted from 0) ends with a look at the validation pictures."""
        return (epoch + 1) % self.evaluate_every == 0 or epoch + 1 == self.epochs


class EpochLoop:
    """Trains and validates epoch after epoch.

    Args:
        learner: the task.
        loader: training batches by epoch.
        batches: their arithmetic.
        schedule: of the learning rate.
        numbers: what changes.
        freezing: what does not, of all that could.
        plan: how long.
        watch: who is told.
        guard: who keeps snapshots.
        ranks: with whom the model is trained.
        compiling: makes what is called in place of a network that learns.
    """

    def __init__(
        self,
        *,
        learner: Learner,
        loader: EpochLoader,
        batches: Batches,
        schedule: Schedule,
        numbers: Numbers,
        freezing: Readying,
        plan: Plan,
        watch: Watch,
        guard: Guard,
        ranks: Ranks = ALONE,
        compiling: Callable[[nn.Module], nn.Module] = as_it_is,
    ) -> None:
        self._ranks, self._compiling = ranks, compiling
        self._learner, self._loader, self._batches, self._schedule = learner, loader, batches, schedule
        self._numbers, self._freezing, self._plan, self._watch, self._guard = numbers, freezing, plan, watch, guard
        self._due = Pace(guard.due)

    def run(self, start: Position) -> None:
        """Train from `start` to the last epoch, or to where patience ends.

        Raises:
            Interrupted: it was asked to stop; a snapshot was kept.
            RunError: Diverged.
        """
        step = start.step
        for epoch in range(start.epochs, self._plan.epochs):
            if self._ended(epoch):
                break
            if self._guard.asked():
                if epoch > start.epochs:
                    self._keep(Position(epoch))
                raise Interrupted
            self._train(epoch, step)
            self._end(epoch, self._validate(epoch))
            step = 0

    def _train(self, epoch: int, first: int) -> None:
        self._numbers.model.train()
        self._freezing.begin(epoch)
        replica = self._ranks.replica(self._numbers.model)
        called = self._compiling(replica)
        steps = self._batches.count
        for step, batch in enumerate(self._loader.epoch(epoch, first) if first < steps else (), first):
            self._step(epoch, step, replica, called, batch)
            means = self._numbers.means
            if (step + 1) % READ_EVERY == 0:
                refuse_divergence(epoch, means)
            self._watch.step(epoch + 1, step + 1, steps, means)
            self._keep_if_wanted(Position(epoch, step + 1))
        # Nothing new, unless there was no step left; the rate is told at the epoch's end.
        self._schedule.apply(self._numbers.optimizer, self._batches.done(epoch, steps - 1))

    def _step(self, epoch: int, step: int, replica: nn.Module, called: nn.Module, batch: Any) -> None:
        """Nothing in here waits for the GPU, but for fp16's scale."""
        numbers, batches, ranks = self._numbers, self._batches, self._ranks
        pictures, completes = batches.size_of(step), batches.completes(step)
        self._schedule.apply(numbers.optimizer, batches.done(epoch, step))
        draw_from(self._plan.seed, Purpose.STEP, epoch, step * ranks.count + ranks.rank)
        with ranks.step(replica, pictures, completes=completes):
            with numbers.precision.forward():
                loss, told = self._learner.loss(called, batch)
            numbers.count(ranks.means(told), pictures)
            numbers.precision.backward(loss * (batches.weight(step) * ranks.weight))
        if completes:
            numbers.precision.step(numbers.optimizer, numbers.model.parameters())
            if numbers.average:
                numbers.average.update(numbers.model)

    def _validate(self, epoch: int) -> dict[str, float]:
        refuse_divergence(epoch, self._numbers.means)
        if not self._plan.validates(epoch):
            return {}
        model = self._numbers.published.eval()
        try:
            return self._ranks.from_first(lambda: self._learner.validate(model, self._heed))
        except Interrupted:
            self._keep(Position(epoch, self._batches.count))
            raise

    def _heed(self) -> None:
        if self._guard.asked():
            raise Interrupted

    def _end(self, epoch: int, validated: Mapping[str, float]) -> None:
        numbers = self._numbers
        metrics = {**validated, **{f"train/{name}": float(value) for name, value in numbers.means.items()}}
        metrics["lr"] = float(numbers.optimizer.param_groups[0]["lr"])
        value = metrics.get(self._plan.metric)
        is_best = value is not None and (numbers.best is None or value > numbers.best)
        if is_best:
            numbers.best, numbers.best_epoch = value, epoch + 1
        self._watch.epoch(epoch + 1, metrics, is_best, numbers.published.state_dict())
        numbers.forget_epoch()
        self._keep_if_wanted(Position(epoch + 1))

    def _ended(self, epochs: int) -> bool:
        """Whether patience ended after so many epochs."""
        patience, best = self._plan.patience, self._numbers.best_epoch
        return bool(patience and best and epochs - best >= patience and self._plan.validates(epochs - 1))

    def _keep_if_wanted(self, position: Position) -> None:
        if self._ranks.count > 1 and position.step and not self._batches.completes(position.step - 1):
            return  # gradients wait in every rank for the step that adds them up
        asked = self._guard.asked()
        # What ends before the epochs do must not be trained again where an export fails or is interrupted.
        if asked or self._due(position) or (not position.step and self._ended(position.epochs)):
            self._keep(position)
        if asked:
            raise Interrupted

    def _keep(self, position: Position) -> None:
        # A training that went wrong must not be gone back to.
        refuse_divergence(position.epochs, self._numbers.means)
        self._guard.keep(position, self._numbers.capture(self._batches))
