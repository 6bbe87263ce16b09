"""A detector's weights: those that a training begins with, and those that are taken as they are.

Imports ultralytics: `offline.prepare` comes first.
"""

from __future__ import annotations

from typing import Any

from ultralytics.nn.tasks import DetectionModel

from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.detection.architecture import Architecture
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint
from modelyard_trainer.tasks.detection.freezing import layers
from modelyard_trainer.weights.adopt import adopt, whole
from modelyard_trainer.weights.begin import begin
from modelyard_trainer.weights.model import FetchedWeights, Start
from modelyard_trainer.weights.reading import Weights

_CLASS_BRANCHES = ("cv3", "one2one_cv3")
"""Parts of ultralytics' heads whose last convolution scores the classes."""


def begin_detector(context: TaskContext, classes: tuple[str, ...], model: Any) -> Start | None:
    """Give a `DetectionModel` the weights that the run names, if it names some.

    Raises:
        RunError: they cannot be read, or do not fit.
    """
    rows = {
        name
        for name, tensor in model.named_parameters()
        if any(f".{part}." in name for part in _CLASS_BRANCHES) and len(tensor) == len(classes)
    }
    return begin(context, model, layers(model), classes=classes, rows=rows)


def adopt_detector(
    context: TaskContext, architecture: Architecture, classes: tuple[str, ...], device: str, notices: tuple[str, ...]
) -> Fit:
    """Leave them as best.pt. A state dict of ultralytics' own names is one too, if it has the data set's classes."""
    size = context.document.spec.training.image_size

    def make(weights: Weights, fetched: FetchedWeights) -> Checkpoint:
        network = DetectionModel(architecture.file, nc=len(classes), ch=3, verbose=False)
        tensors = whole(network.state_dict(), weights, fetched, architecture.name)
        return Checkpoint(architecture.name, architecture.file, classes, size, 0, {}, tensors)

    return adopt(context, Checkpoint, make, device=device, classes=classes, notices=notices)
