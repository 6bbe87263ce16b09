"""Weights as files that hold tensors and plain values only, so that `torch.load(weights_only=True)` reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard_trainer.files import write_atomically
from modelyard_trainer.tasks.detection.architecture import Architecture
from modelyard_trainer.tensors import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "modelyard/detection/v1"


@dataclass(frozen=True)
class Checkpoint:
    """A detection model at one epoch: all that is needed to build it again."""

    architecture: str
    model_file: str
    """Name of ultralytics' architecture file."""
    classes: tuple[str, ...]
    image_size: int
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """State of the averaged (EMA) model, 32-bit floats."""

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        import torch  # noqa: PLC0415 - seconds

        content = {
            "format": FORMAT,
            "architecture": self.architecture,
            "model_file": self.model_file,
            "names": dict(enumerate(self.classes)),
            "image_size": self.image_size,
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
            "state_dict": {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights.items()},
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, buffer.getvalue())


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


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `Checkpoint.save` wrote.

    Raises:
        ValueError: it is a file of another kind, or holds more than data.
    """
    content = read_tensors(path)
    if content.get("format") != FORMAT:
        raise ValueError(f"{path.name} is not a {FORMAT} checkpoint")
    names = content["names"]
    return Checkpoint(
        architecture=content["architecture"],
        model_file=content["model_file"],
        classes=tuple(names[number] for number in range(len(names))),
        image_size=content["image_size"],
        epoch=content["epoch"],
        metrics=content["metrics"],
        weights=content["state_dict"],
    )


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
