"""A training from what a task brings to `Fit`. Imports torch."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.loop.average import Average
from modelyard_trainer.loop.aware import Aware, Deployed, began_in
from modelyard_trainer.loop.batches import Batches
from modelyard_trainer.loop.compiling import INDUCTOR, Backend, Compiling, as_it_is
from modelyard_trainer.loop.epochs import EpochLoop, Learner, Plan
from modelyard_trainer.loop.freezing import Freezing, Stages, freezing_of
from modelyard_trainer.loop.guard import NOBODY, NOTHING, Guard, Watch
from modelyard_trainer.loop.history import History, Write
from modelyard_trainer.loop.loader import EpochLoader, Pictures
from modelyard_trainer.loop.optimizer import build_optimizer
from modelyard_trainer.loop.precision import Precision
from modelyard_trainer.loop.reports import StepReports
from modelyard_trainer.loop.resume import fingerprint, keeping, start_of, take_up
from modelyard_trainer.loop.schedule import Schedule
from modelyard_trainer.loop.state import Numbers, same_start
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.weights.begin import begin

_log = logging.getLogger("modelyard.training")


@dataclass(frozen=True)
class Recipe:
    """What a task brings to the loop.

    Attributes:
        form: name of what its snapshots hold, such as modelyard/classification-training/v1.
        identity: what must be equal, beside what is in every fingerprint, for a snapshot to be gone on from.
        classes: what the outputs mean.
        model: at its random start, on the device.
        learner: losses and metrics.
        pictures: to train on, by their place.
        collate: makes a batch of a list of them.
        metric: what epochs are compared by; higher is better.
        write: writes weights as a file.
        columns: of metrics.csv; see `Fit`.
        deployed: what of the model is exported.
        stages: of the backbone, as `training.freeze` counts them; weights to start from must fit half of it.
        rows: names of the tensors whose rows are the classes.
        synchronise: makes the batch normalisation of a network that of all GPUs' pictures, in place.
        notices: what is to be said of it.
    """

    form: str
    identity: Mapping[str, object]
    classes: tuple[str, ...]
    model: nn.Module
    learner: Learner
    pictures: Pictures
    collate: Callable[[list[Any]], Any]
    metric: str
    write: Write
    deployed: Deployed
    stages: Stages = ()
    columns: Mapping[str, str] | None = None
    rows: frozenset[str] = frozenset()
    synchronise: Callable[[nn.Module], object] = nn.SyncBatchNorm.convert_sync_batchnorm
    notices: tuple[str, ...] = ()


def settle(deterministic: bool) -> None:
    """Use only algorithms that give the same result every time, where that is asked for and they exist."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # They would fill all new memory first, in case somebody reads what nobody has written: 4 per cent of a small
    # network's step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic


def fit(
    context: TaskContext,
    data: CheckedDataset,
    recipe: Recipe,
    *,
    device: str,
    notices: tuple[str, ...] = (),
    workers: int | None = None,
    backend: Backend = INDUCTOR,
) -> Fit:
    """Train as the run asks, from where the newest checkpoint ends.

    Args:
        context: all that a task is given.
        data: what is trained on.
        recipe: what the task brings.
        device: as torch calls it.
        notices: what is to be said of it.
        workers: processes that load pictures; as asked for on a GPU, and none without one, unless given here.
        backend: what compiles the network, where that is asked for.
    """
    document, training = context.document, context.document.training
    history = History(
        context.results,
        context.progress,
        metric=recipe.metric,
        write=recipe.write,
        save_period=training.save_period,
    )
    later = training.quantization
    identity = {
        **fingerprint(document, data, recipe.classes),
        **recipe.identity,
        "quantization": later.to_json_object() if later else None,
        "compile": training.compile or None,  # which older snapshots do not say
    }
    snapshot, refusal = take_up(context, identity, recipe.form)
    began = (
        start_of(snapshot)
        if snapshot
        else begin(context, recipe.model, recipe.stages, classes=recipe.classes, rows=recipe.rows)
    )
    parts = Parts.of(context, recipe, device, backend)
    start = Position(0)
    resumed_from = snapshot.position if snapshot else None
    if snapshot:
        history.restore(snapshot, snapshot.state["history"])
    quantised = snapshot if began_in(snapshot) else None
    if snapshot and not quantised:
        start = parts.numbers.restore(snapshot.position, snapshot.state["training"], parts.batches)
    del snapshot  # its tensors take as much memory as the training's

    keep = keeping(context, identity, recipe.form, history, began)
    watch = Watch(StepReports(context.progress), history.add)
    guard = Guard(lambda: context.interruption.asked, context.checkpoints.due, keep)
    _log.info("training %s on %s, %d CPU threads", document.spec.model.architecture, device, context.cpus)
    with context.interruption.deferred():
        if not quantised:
            parts.train(start, watch, guard, workers)
        if later:
            parts.freezing.begin(training.epochs)  # all of it learns now
            aware = Aware(
                context=context,
                asked=later,
                model=recipe.model,
                deployed=recipe.deployed,
                learner=recipe.learner,
                metric=recipe.metric,
                loader=parts.loader(workers),
                batches=parts.batches,
                history=history,
                keep=keep,
                device=device,
            )
            del parts  # the average and the optimizer's state are of no use any more
            aware.run(quantised)
    return Fit(
        epochs=history.epochs,
        best_epoch=history.best_epoch,
        classes=recipe.classes,
        device=device,
        notices=(*notices, *recipe.notices, *refusal),
        resumed_from=resumed_from,
        columns=recipe.columns,
        start=began,
        best_quantised_epoch=history.best_quantised_epoch,
    )


def follow(context: TaskContext, recipe: Recipe, *, device: str, workers: int | None = None) -> None:
    """What `fit` is in every rank but the first: the same training, of which nothing is told or kept.

    Args:
        context: all that a task is given; whatever it has beside document, ranks, CPUs and scratch folder is not used.
        recipe: what the task brings.
        device: this rank's, as torch calls it.
        workers: see `fit`.
    """
    Parts.of(context, recipe, device).train(Position(0), NOBODY, NOTHING, workers)


@dataclass(frozen=True)
class Parts:
    """What every rank trains with."""

    context: TaskContext
    recipe: Recipe
    device: str
    batches: Batches
    freezing: Freezing
    numbers: Numbers
    compiling: Callable[[nn.Module], nn.Module]

    @classmethod
    def of(cls, context: TaskContext, recipe: Recipe, device: str, backend: Backend = INDUCTOR) -> Self:
        """All of them, made of what a task brings; its network has the weights that it begins with."""
        document, training, model = context.document, context.document.training, recipe.model
        if context.ranks.count > 1 and device != "cpu":
            recipe.synchronise(model)
        freezing = freezing_of(
            training, model, recipe.stages, backbone=len(recipe.stages), name=document.spec.model.architecture
        )
        numbers = Numbers(
            model=model,
            average=Average(model, training.ema_decay) if training.ema_decay is not None else None,
            optimizer=build_optimizer(model, training.optimizer),
            precision=Precision(training.amp, device, training.gradient_clip),
        )
        pictures = len(recipe.pictures)
        batches = Batches(pictures, min(document.batch_size, pictures), document.step_size)
        compiling: Callable[[nn.Module], nn.Module] = as_it_is
        if training.compile:
            compiling = Compiling(context.scratch / "compiled", context.cpus, backend)
            compiling.prove(device)
        return cls(context, recipe, device, batches, freezing, numbers, compiling)

    def loader(self, workers: int | None) -> EpochLoader:
        """Batches by epoch; it is to be closed."""
        return EpochLoader(
            self.recipe.pictures,
            self.batches.size,
            loader_workers(self.context, self.device, self.batches.count, workers),
            collate=self.recipe.collate,
            pin_memory=self.device != "cpu",
            ranks=self.context.ranks,
        )

    def train(self, start: Position, watch: Watch, guard: Guard, workers: int | None) -> None:
        """Train from `start`, or from where the first rank does."""
        context, recipe, training = self.context, self.recipe, self.context.document.training
        start = same_start(context.ranks, start, self.numbers, self.batches)
        loader = self.loader(workers)
        loop = EpochLoop(
            learner=recipe.learner,
            loader=loader,
            batches=self.batches,
            schedule=Schedule.of(training),
            numbers=self.numbers,
            freezing=self.freezing,
            plan=Plan(training.epochs, training.patience, recipe.metric, training.seed, training.evaluate_every),
            watch=watch,
            guard=guard,
            ranks=context.ranks,
            compiling=self.compiling,
        )
        try:
            loop.run(start)
        finally:
            loader.close()


def loader_workers(context: TaskContext, device: str, batches: int, given: int | None = None) -> int:
    """Processes that load `batches` batches: as many as asked for and as there are CPUs; none without a GPU."""
    asked = min(context.document.training.workers, context.cpus) if device != "cpu" else 0
    return min(asked if given is None else given, batches) if batches > 1 else 0
