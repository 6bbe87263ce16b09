"""The same detector by ultralytics' own `YOLO(...).train(...)`, on the same split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard_api.run_document import RunDocument
from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
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
