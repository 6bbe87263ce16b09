"""The same detector by ultralytics' own `YOLO(...).train(...)`, on the same split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard_api.run_document import RunDocument
from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.detection.offline import prepare

from bench.training.measured import Stopwatch

METRIC = "metrics/mAP50(B)"


def train(document: RunDocument, data: CheckedDataset, watch: Stopwatch, scratch: Path, threads: int) -> None:
    """Train with the arguments that the run stands for.

    Args:
        document: the run.
        data: its data set.
        watch: told of batches and epochs.
        scratch: an empty folder.
        threads: of the CPU. By itself it would take one less than there are cores.
    """
    prepare(scratch, threads)
    from ultralytics import YOLO  # noqa: PLC0415 - only after `prepare`

    architecture = find_architecture(document.spec.model.architecture)
    arguments = ultralytics_arguments(document, architecture.file, "cpu")
    for given_otherwise in ("model", "mode", "task"):
        del arguments[given_otherwise]

    def epoch_done(trainer: Any) -> None:
        if len(watch.ends) < document.spec.training.epochs:  # told once more after the last, of the best weights
            watch.epoch_done({"mAP50": trainer.metrics[METRIC]})

    model = YOLO(architecture.file)
    model.add_callback("on_train_batch_end", lambda _trainer: watch.batch_done())
    model.add_callback("on_fit_epoch_end", epoch_done)
    model.train(data=str(_description(data, scratch)), project=str(scratch), name="bare", **arguments)
    context = TaskContext(document, scratch, scratch, Progress(1, document.batch_size, 0), threads)
    watch.judged = _judged(context, data, Path(model.trainer.best))


def _judged(context: TaskContext, data: CheckedDataset, weights: Path) -> dict[str, float]:
    """What our own evaluation makes of ultralytics' best.pt."""
    from modelyard_trainer.tasks.detection.evaluate import examine, means_of  # noqa: PLC0415 - only after `prepare`
    from ultralytics import YOLO  # noqa: PLC0415

    spec, network = context.document.spec, YOLO(weights).model.float()
    architecture = find_architecture(spec.model.architecture)
    checkpoint = Checkpoint(
        architecture.name, architecture.file, data.classes, spec.training.image_size, 1, {}, network.state_dict()
    )
    examiner = examine(context, data.validation, checkpoint, build_model(checkpoint), "cpu", rect=True)
    return means_of(examiner)


def _description(data: CheckedDataset, folder: Path) -> Path:
    path = folder / "data.yaml"
    splits = {name: str(_list(pictures, folder / f"{name}.txt")) for name, pictures in _splits(data).items()}
    path.write_text(json.dumps({"path": str(folder), **splits, "names": list(data.classes)}))
    return path


def _splits(data: CheckedDataset) -> dict[str, Sequence[Picture]]:
    return {"train": data.training, "val": data.validation}


def _list(pictures: Sequence[Picture], path: Path) -> Path:
    path.write_text("".join(f"{picture.path}\n" for picture in pictures))
    return path
