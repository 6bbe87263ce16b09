"""The published weights of a detector, and the network that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from modelyard_trainer.tasks.detection.architecture import Architecture
from modelyard_trainer.tasks.weights_file import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Checkpoint(WeightsFile):
    """A detection model at one epoch: all that is needed to build it again."""

    form: ClassVar[str] = "modelyard/detection/v1"

    architecture: str
    model_file: str
    """Name of ultralytics' architecture file."""
    classes: tuple[str, ...]
    image_size: int
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """State of the averaged (EMA) model, 32-bit floats."""


def write_weights(
    path: Path,
    epoch: int,
    metrics: Mapping[str, float],
    weights: Mapping[str, Tensor],
    *,
    architecture: Architecture,
    classes: tuple[str, ...],
    image_size: int,
) -> None:
    """Write the weights of an epoch as a `Checkpoint`."""
    Checkpoint(architecture.name, architecture.file, classes, image_size, epoch, metrics, weights).save(path)


def build_model(checkpoint: Checkpoint) -> Any:
    """The network with the checkpoint's weights, for inference on the CPU: a `DetectionModel` in 32-bit floats.

    Networks with two heads (YOLOv10, YOLO26) answer with the one that non-maximum suppression follows, as ultralytics
    does unless told otherwise.
    """
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415 - seconds

    model = DetectionModel(checkpoint.model_file, nc=len(checkpoint.classes), ch=3, verbose=False)
    model.load_state_dict(dict(checkpoint.weights), strict=True)
    model.names = dict(enumerate(checkpoint.classes))
    model.end2end = False
    return model.float().eval()
