"""The task `detection`, chapter by chapter."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from modelyard_api.detection import Detection
from modelyard_api.outcome import Reason
from modelyard_api.spec import ImageCache

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.device import check_device, pick_device
from modelyard_trainer.loop.history import History
from modelyard_trainer.loop.reports import StepReports
from modelyard_trainer.loop.resume import fingerprint, keeping, start_of, take_up
from modelyard_trainer.tasks.base import (
    Evaluation,
    ExportedFile,
    Fit,
    TaskContext,
    Verified,
)
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
from modelyard_trainer.tasks.detection.checkpoint import write_weights
from modelyard_trainer.tasks.detection.offline import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard_trainer.tasks.detection.trainer import YardTrainer

_log = logging.getLogger("modelyard.detection")
FORMAT = "modelyard/detection-training/v1"
FITNESS = "mAP50-95"
"""The metric that ultralytics compares epochs by."""


class DetectionTask:
    """Trains an ultralytics detector. See `modelyard_trainer.tasks.base.Task` for the methods.

    Args:
        context: all that a task is given.
        workers: processes that load training pictures, where not as many as the spec says on a GPU and none without.
    """

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        self._context = context
        self._workers = workers
        self._document = context.document
        self._spec = context.document.spec
        self._detection = self._spec.detection or Detection()

    def check_spec(self) -> None:
        """The architecture must be known, the image size a multiple of its stride."""
        architecture = find_architecture(self._spec.model.architecture)
        size = self._spec.training.image_size
        if size % architecture.stride:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.training.imageSize: {size} is not a multiple of {architecture.stride}, the largest stride of "
                f"{architecture.name}; {_round_up(size, architecture.stride)} would be right",
            )
        check_device(self._spec)

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Every picture and label must be sound, and copyPaste needs outlines."""
        data = check_dataset(
            fetched,
            self._spec.dataset.format,
            validation_split=self._spec.dataset.validation_split,
            fraction=self._spec.dataset.fraction,
            limit=self._spec.dataset.limit,
            seed=self._spec.training.seed,
            threads=self._context.cpus,
            tell=lambda done, of: self._context.progress.detail(f"{done} of {of} pictures"),
            mode=self._spec.mode,
        )
        without = next((p for p in data.training if len(p.objects.polygons) != len(p.objects)), None)
        if self._detection.augment.copy_paste and without is not None:
            raise RunError(
                Reason.SPEC_INVALID,
                "spec.detection.augment.copyPaste: it needs outlines, but the objects of "
                f"{without.name} are boxes; 0 would be right",
            )
        return data

    def fit(self, data: CheckedDataset) -> Fit:
        """Train with ultralytics, offline, exactly as asked, from where the newest checkpoint ends."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.tasks.several import fit_together  # noqa: PLC0415 - imports torch

        try:
            return fit_together(self, self._context, data, self._workers)
        finally:
            prepare(self._context.scratch, self._context.cpus)  # what comes next has all CPUs again

    def fitted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        """What `fit` is in the first rank, or in one process alone."""
        prepare(self._context.scratch, self._context.cpus)  # fewer where there are several
        from modelyard_trainer.loop.guard import Guard, Watch  # noqa: PLC0415
        from modelyard_trainer.tasks.detection.adopt import begin_detector  # noqa: PLC0415 - imports torch

        context = self._context
        architecture = find_architecture(self._spec.model.architecture)
        classes = self._classes(data)
        history = History(
            context.results,
            context.progress,
            metric=FITNESS,
            write=partial(
                write_weights,
                architecture=architecture,
                classes=classes,
                image_size=self._spec.training.image_size,
            ),
            save_period=self._spec.training.save_period,
        )
        identity = fingerprint(self._document, data, classes)
        snapshot, refusal = take_up(context, identity, FORMAT)
        resumed_from = snapshot.position if snapshot else None
        began = start_of(snapshot) if snapshot else None
        if snapshot:
            history.restore(snapshot, snapshot.state["history"])

        def due(position: Position) -> bool:
            # What ends before the epochs do must not be trained again either where an export fails or is interrupted.
            return context.checkpoints.due(position) or (trainer.stop and not position.step)

        def keep(position: Position, numbers: dict[str, Any]) -> None:
            # What the training began with is known once it has begun.
            keeping(context, identity, FORMAT, history, began or trainer.began)(position, numbers)

        _log.info("training %s on %s, %d CPU threads", architecture.name, device, context.cpus)
        with context.interruption.deferred():
            trainer = self._trainer(
                data,
                device,
                context.scratch,
                watch=Watch(StepReports(context.progress), history.add),
                guard=Guard(lambda: context.interruption.asked, due, keep),
                start=None if snapshot else partial(begin_detector, context, classes),
                resume=snapshot and Snapshot(snapshot.position, snapshot.state["training"]),
            )
            del snapshot  # its tensors take as much memory as the training's, and the trainer lets go of them too
            trainer.train()
        return Fit(
            epochs=history.epochs,
            best_epoch=history.best_epoch,
            classes=classes,
            device=str(trainer.device),
            notices=(*notices, *refusal),
            resumed_from=resumed_from,
            start=began or trainer.began,
        )

    def follow(self, data: CheckedDataset, device: str) -> None:
        """Train with the first rank, which does all else, on this rank's device."""
        context = self._context
        prepare(context.results, context.cpus)
        from modelyard_trainer.loop.guard import NOBODY, NOTHING  # noqa: PLC0415

        self._trainer(data, device, context.results, watch=NOBODY, guard=NOTHING).train()

    def _trainer(self, data: CheckedDataset, device: str, folder: Path, **given: Any) -> YardTrainer:
        """What trains; ultralytics writes below `folder`."""
        from modelyard_trainer.tasks.detection.freezing import detector_freezing  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.detection.pictures import linked  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.detection.trainer import YardTrainer  # noqa: PLC0415

        ranks, document = self._context.ranks, self._document
        if ranks.count > 1 and document.training.cache is ImageCache.MEMORY:
            # Each rank would have a memory of its own; what lies on the disk is in memory once.
            document = document.model_copy(update={"image_cache": ImageCache.DISK})
        architecture = find_architecture(self._spec.model.architecture)
        training, validation = list(data.training), list(data.validation)
        if document.training.cache is ImageCache.DISK:
            cache = self._context.scratch / "cache"
            training, validation = linked(training, cache), linked(validation, cache)
        return YardTrainer(
            ultralytics_arguments(document, architecture.file, device)
            | {"project": str(folder / "runs"), "name": "fit"},
            data.classes,
            training,
            validation,
            freezing=partial(detector_freezing, document.training, architecture),
            streams=self._streams,
            workers=self._workers,
            ranks=ranks,
            at_once=self._context.at_once,
            **given,
        )

    @property
    def _streams(self) -> int | None:
        """From the spec, not from what this attempt makes of it: other workers must not make another training."""
        asked = self._spec.training
        if asked.cache is ImageCache.MEMORY:
            return None
        return max(1, asked.workers) if self._spec.resources.gpus else 1

    def adopt(self, data: CheckedDataset) -> Fit:
        """Take the given weights as they are."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.tasks.detection.adopt import adopt_detector  # noqa: PLC0415 - imports torch

        device, notices = pick_device(self._spec)
        architecture = find_architecture(self._spec.model.architecture)
        return adopt_detector(self._context, architecture, self._classes(data), device, notices)

    def _classes(self, data: CheckedDataset) -> tuple[str, ...]:
        return ("item",) if self._detection.single_class else data.classes

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Validate the published best.pt, and draw what it finds."""
        from modelyard_trainer.tasks.detection.evaluate import evaluate  # noqa: PLC0415 - imports torch

        return evaluate(self._context, data, fit.device, fit.epochs)

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Write each format that was asked for."""
        from modelyard_trainer.exports.writing import export_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.detection.export import TrainedDetector  # noqa: PLC0415

        return export_all(self._context, TrainedDetector(self._context, data), data.training)

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Hold each exported file against PyTorch on validation pictures."""
        from modelyard_trainer.exports.comparing import verify_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.detection.export import TrainedDetector  # noqa: PLC0415

        return verify_all(self._context, TrainedDetector(self._context, data), exports, data.validation)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
