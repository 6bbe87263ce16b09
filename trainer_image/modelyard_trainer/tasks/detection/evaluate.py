"""What the published weights do on the validation pictures. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from ultralytics.cfg import get_cfg
from ultralytics.data import build_dataloader
from ultralytics.models.yolo.detect import DetectionValidator

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.tasks.base import BEST, Epoch, Evaluation, TaskContext
from modelyard_trainer.tasks.detection import plots
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.detection.pictures import CheckedPictures, picture_options
from modelyard_trainer.tasks.plots import draw_confusion, draw_curves, drawn

_SHOWN = 12
"""Pictures on the sheet of predictions."""
_CONFIDENT = 0.25
"""Score from which a prediction is drawn and counted in the confusion matrix, as in ultralytics."""


def evaluate(context: TaskContext, data: CheckedDataset, device: str, epochs: tuple[Epoch, ...]) -> Evaluation:
    """Validate best.pt as the epochs were validated, and on the test's pictures where there are some.

    Numbers of each class, plots and a sheet of predictions are of the test where there is one.
    """
    checkpoint = Checkpoint.load(context.results / BEST)
    sides = {"": data.validation, **({"test/": data.test} if data.test else {})}
    examined = {
        side: examine(context, pictures, checkpoint, build_model(checkpoint), device, rect=True)
        for side, pictures in sides.items()
    }
    examiner = examined[list(examined)[-1]]
    box = examiner.metrics.box
    seen = [checkpoint.classes[index] for index in box.ap_class_index]
    confusion = examiner.confusion_matrix.matrix
    notices = drawn(
        {
            "curves.png": lambda path: draw_curves(epochs, ("mAP50", "mAP50-95", "precision", "recall"), path),
            "confusion_matrix.png": lambda path: draw_confusion(
                confusion, [*checkpoint.classes, "background"], path, "counts; score above 0.25, IoU above 0.45"
            ),
            "precision_recall.png": lambda path: plots.draw_precision_recall(
                box.px, box.prec_values, box.ap50, seen, path
            ),
            "predictions.jpg": lambda path: plots.draw_predictions(examiner.sheet, checkpoint.classes, path),
        },
        context.results,
    )
    return Evaluation(
        metrics={f"{side}{name}": value for side, each in examined.items() for name, value in means_of(each).items()},
        per_class={
            name: dict(zip(("precision", "recall", "mAP50", "mAP50-95"), map(float, box.class_result(i)), strict=True))
            for i, name in enumerate(seen)
        },
        notices=notices,
    )


def means_of(examiner: Examiner) -> dict[str, float]:
    """The means over classes, by the names that they are reported by."""
    precision, recall, map50, map50_95 = map(float, examiner.metrics.mean_results())
    return {"mAP50": map50, "mAP50-95": map50_95, "precision": precision, "recall": recall}


def examine(
    context: TaskContext,
    pictures: Sequence[Picture],
    checkpoint: Checkpoint,
    model: Any,
    device: str,
    *,
    rect: bool,
) -> Examiner:
    """Validate a model as the epochs were validated.

    Args:
        context: all that the task is given.
        pictures: with their objects.
        checkpoint: whose classes and sizes the model has.
        model: gives raw predictions, before non-maximum suppression.
        device: that it runs on.
        rect: pad pictures to rectangles, as the epochs did; squares otherwise.
    """
    document = context.document
    wanted = ultralytics_arguments(document, checkpoint.model_file, device) | {"imgsz": checkpoint.image_size}
    description = _describe(context.scratch, checkpoint.classes)
    # The epochs were validated with twice as many, padded to rectangles: the same here gives the same numbers.
    batch = context.at_once * 2
    overrides = {"mode": "val", "data": str(description), "batch": batch, "rect": rect}
    stride = max(int(max(model.stride)), 32)
    options = picture_options(
        get_cfg(overrides=wanted | {"cache": False}),
        checkpoint.classes,
        training=False,
        batch=batch,
        stride=stride,
    )
    loader = build_dataloader(
        CheckedPictures(pictures, **options | {"rect": rect}), batch, workers=0, shuffle=False, rank=-1, device=device
    )
    examiner = Examiner(
        dataloader=loader,
        save_dir=context.scratch / "evaluation",
        args=get_cfg(overrides=wanted | overrides),
        _callbacks=defaultdict(list),
    )
    examiner(model=model)
    return examiner


def _describe(scratch: Path, classes: tuple[str, ...]) -> Path:
    """A data.yaml for ultralytics, which wants one though the pictures are given; it points at nothing."""
    import yaml  # noqa: PLC0415

    path = scratch / "evaluation.yaml"
    names = dict(enumerate(classes))
    path.write_text(yaml.safe_dump({"path": str(scratch), "train": ".", "val": ".", "names": names}))
    return path


class Examiner(DetectionValidator):  # type: ignore[misc]
    """ultralytics' validator, which also fills the confusion matrix and keeps some predictions to draw."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sheet: list[tuple[Image.Image, list[plots.Drawn]]] = []

    @staticmethod
    def _check_max_det(args: object, datasets: object) -> None:
        """Keep `max_det` as asked."""

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        """Count the predictions of a batch."""
        super().update_metrics(preds, batch)
        for index, prediction in enumerate(preds):
            truth = self._prepare_batch(index, batch)
            found = self._prepare_pred(prediction)
            self.confusion_matrix.process_batch(copy.copy(found), truth, conf=_CONFIDENT)
            if len(self.sheet) < _SHOWN:
                scaled = self.scale_preds(found, truth)
                self.sheet.append((_upright(Path(truth["im_file"])), _drawn(scaled)))


def _upright(path: Path) -> Image.Image:
    """The picture as it was trained on: turned as its EXIF says."""
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _drawn(prediction: dict[str, Any]) -> list[plots.Drawn]:
    def plain(name: str) -> NDArray[Any]:
        return np.asarray(prediction[name].cpu())

    return [
        plots.Drawn(tuple(map(float, box)), int(label), float(score))
        for box, label, score in zip(plain("bboxes"), plain("cls"), plain("conf"), strict=True)
        if score >= _CONFIDENT
    ]
