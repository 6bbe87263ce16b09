"""The task `detection`, chapter by chapter."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelyard_api.detection import Detection
from modelyard_api.outcome import Reason
from modelyard_api.spec import ImageCache, MixedPrecision

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import (
    Evaluation,
    ExportedFile,
    Fit,
    TaskContext,
    Verified,
)
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
from modelyard_trainer.tasks.detection.history import History
from modelyard_trainer.tasks.detection.memory import explain_memory
from modelyard_trainer.tasks.detection.offline import prepare
from modelyard_trainer.tasks.detection.resume import FORMAT, fingerprint, why_not

if TYPE_CHECKING:
    from torch import Tensor

    from modelyard_trainer.tasks.detection.trainer import YardTrainer

_log = logging.getLogger("modelyard.detection")
_STEP_SECONDS = 0.5
"""How often losses are read while an epoch goes on."""


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
        self._told = 0.0

    def check_spec(self) -> None:
        """The architecture must be known, the image size a multiple of its stride, and the GPUs at most one."""
        architecture = find_architecture(self._spec.model.architecture)
        size = self._spec.training.image_size
        if size % architecture.stride:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.training.imageSize: {size} is not a multiple of {architecture.stride}, the largest stride of "
                f"{architecture.name}; {_round_up(size, architecture.stride)} would be right",
            )
        if self._spec.training.amp is not MixedPrecision.DISABLED and self._spec.resources.gpus == 0:
            raise self._amp_needs_gpu("spec.resources.gpus is 0")
        if self._spec.resources.gpus > 1:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.resources.gpus: {self._spec.resources.gpus}, but this version trains detection on one GPU",
            )

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Every picture and label must be sound, and copyPaste needs outlines."""
        data = check_dataset(
            fetched,
            self._spec.dataset.format,
            validation_split=self._spec.dataset.validation_split,
            fraction=self._spec.dataset.fraction,
            seed=self._spec.training.seed,
            threads=self._context.cpus,
            tell=lambda done, of: self._context.progress.detail(f"{done} of {of} pictures"),
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
        from modelyard_trainer.tasks.detection.loop import Guard, Watch  # noqa: PLC0415
        from modelyard_trainer.tasks.detection.pictures import linked  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.detection.trainer import YardTrainer  # noqa: PLC0415

        context = self._context
        device, notices = self._device()
        architecture = find_architecture(self._spec.model.architecture)
        arguments = ultralytics_arguments(self._document, architecture.file, device) | {
            "project": str(context.scratch / "runs"),
            "name": "fit",
        }
        classes = ("item",) if self._detection.single_class else data.classes
        training, validation = list(data.training), list(data.validation)
        if self._document.training.cache is ImageCache.DISK:
            folder = context.scratch / "cache"
            training, validation = linked(training, folder), linked(validation, folder)
        history = History(
            context.results,
            context.progress,
            architecture=architecture,
            classes=classes,
            image_size=self._spec.training.image_size,
            save_period=self._spec.training.save_period,
        )
        identity = fingerprint(self._document, data, classes)
        snapshot, refusal = self._restore(identity)
        resumed_from = snapshot.position if snapshot else None
        if snapshot:
            history.restore(snapshot, snapshot.state["history"])

        def keep(position: Position, numbers: dict[str, Any]) -> None:
            state = {"format": FORMAT, "fingerprint": identity, "training": numbers, "history": history.state()}
            context.checkpoints.save(Snapshot(position, state, history.files()))

        def due(position: Position) -> bool:
            # What ends before the epochs do must not be trained again either where an export fails or is interrupted.
            return context.checkpoints.due(position) or (trainer.stop and not position.step)

        guard = Guard(lambda: context.interruption.asked, due, keep)
        _log.info("training %s on %s, %d CPU threads", architecture.name, device, context.cpus)
        with explain_memory(self._document.batch_size), context.interruption.deferred():
            trainer = YardTrainer(
                arguments,
                data.classes,
                training,
                validation,
                watch=Watch(self._on_step, history.add),
                guard=guard,
                streams=self._streams,
                resume=snapshot and Snapshot(snapshot.position, snapshot.state["training"]),
                workers=self._workers,
            )
            del snapshot  # its tensors take as much memory as the training's, and the trainer lets go of them too
            _train(trainer)
        return Fit(
            epochs=history.epochs,
            best_epoch=history.best_epoch,
            classes=classes,
            device=str(trainer.device),
            notices=(*notices, *refusal),
            resumed_from=resumed_from,
        )

    @property
    def _streams(self) -> int | None:
        """From the spec, not from what this attempt makes of it: other workers must not make another training."""
        asked = self._spec.training
        if asked.cache is ImageCache.MEMORY:
            return None
        return max(1, asked.workers) if self._spec.resources.gpus else 1

    def _restore(self, identity: Mapping[str, Any]) -> tuple[Snapshot | None, tuple[str, ...]]:
        """The snapshot to go on from, and what is to be said where one was found but is passed over."""
        snapshot = self._context.checkpoints.restore()
        if snapshot is None:
            return None, ()
        refusal = why_not(snapshot, identity)
        if refusal:
            _log.warning("%s", refusal)
            return None, (refusal,)
        _log.info("going on from %s", snapshot.position)
        return snapshot, ()

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Validate the published best.pt, and draw what it finds."""
        from modelyard_trainer.tasks.detection.evaluate import evaluate  # noqa: PLC0415 - imports torch

        with explain_memory(self._document.batch_size):
            return evaluate(self._context, data, fit.device, fit.epochs)

    def export(self) -> tuple[ExportedFile, ...]:
        """Write each format that was asked for."""
        from modelyard_trainer.tasks.detection.export import export  # noqa: PLC0415 - imports torch

        return export(self._context)

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Compare each exported file with PyTorch on validation pictures."""
        from modelyard_trainer.tasks.detection.verify import verify  # noqa: PLC0415 - imports torch

        return verify(self._context, data, exports)

    def _device(self) -> tuple[str, tuple[str, ...]]:
        import torch  # noqa: PLC0415 - seconds

        wanted, there = self._spec.resources.gpus > 0, torch.cuda.is_available()
        if self._spec.training.amp is not MixedPrecision.DISABLED and not there:
            raise self._amp_needs_gpu("torch sees no CUDA device where this pod runs")
        if wanted and there:
            return "0", ()
        return "cpu", (("no CUDA device is in sight, so the training ran on the CPU",) if wanted else ())

    def _amp_needs_gpu(self, why_there_is_none: str) -> RunError:
        return RunError(
            Reason.SPEC_INVALID,
            f"spec.training.amp: {self._spec.training.amp.value} needs a GPU, and {why_there_is_none}; without one, "
            "disabled would be right",
        )

    def _on_step(self, epoch: int, step: int, steps: int, losses: Mapping[str, Tensor]) -> None:
        now = time.monotonic()
        if now - self._told >= _STEP_SECONDS or step == steps:
            self._told = now
            shown = {name.removesuffix("_loss"): float(value) for name, value in losses.items()}
            self._context.progress.step(epoch, step, steps, shown)


def _train(trainer: YardTrainer) -> None:
    try:
        trainer.train()
    except RuntimeError as error:
        if "froze the entire model" in str(error):
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.training.freeze: {trainer.args.freeze} leaves nothing to train; fewer layers would be right",
            ) from error
        raise


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
