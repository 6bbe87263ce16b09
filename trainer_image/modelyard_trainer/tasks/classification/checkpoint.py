"""Weights as files that hold tensors and plain values only, so that `torch.load(weights_only=True)` reads them.

`state_dict` has the names of timm's own model: `timm.create_model(architecture, num_classes=n).load_state_dict(...)`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard_trainer.files import write_atomically
from modelyard_trainer.tensors import read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "modelyard/classification/v1"


@dataclass(frozen=True)
class Checkpoint:
    """A classifier at one epoch: all that is needed to build it again."""

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    resize: str
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """Of the backbone, 32-bit floats."""

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        import torch  # noqa: PLC0415 - seconds

        content = {
            "format": FORMAT,
            "architecture": self.architecture,
            "names": dict(enumerate(self.classes)),
            "image_size": self.image_size,
            "resize": self.resize,
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
            "state_dict": {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights.items()},
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, buffer.getvalue())


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
        classes=tuple(names[number] for number in range(len(names))),
        image_size=content["image_size"],
        resize=content["resize"],
        epoch=content["epoch"],
        metrics=content["metrics"],
        weights=content["state_dict"],
    )


def build_model(checkpoint: Checkpoint) -> nn.Module:
    """The classifier with the checkpoint's weights, for inference on the CPU."""
    from modelyard_trainer.tasks.classification.architecture import build  # noqa: PLC0415 - seconds

    model: Any = build(checkpoint.architecture, len(checkpoint.classes), checkpoint.image_size)
    model.backbone.load_state_dict(dict(checkpoint.weights), strict=True)
    built: nn.Module = model.float().eval().requires_grad_(False)
    return built
