"""The published weights of a classifier, and the network that they are of.

`state_dict` has the names of timm's own model: `timm.create_model(architecture, num_classes=n).load_state_dict(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from modelyard_trainer.tasks.weights_file import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Checkpoint(WeightsFile):
    """A classifier at one epoch: all that is needed to build it again."""

    form: ClassVar[str] = "modelyard/classification/v1"

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    resize: str
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """Of the backbone, 32-bit floats."""


def build_model(checkpoint: Checkpoint) -> nn.Module:
    """The classifier with the checkpoint's weights, for inference on the CPU."""
    from modelyard_trainer.tasks.classification.architecture import build  # noqa: PLC0415 - seconds

    model: Any = build(checkpoint.architecture, len(checkpoint.classes), checkpoint.image_size)
    model.backbone.load_state_dict(dict(checkpoint.weights), strict=True)
    built: nn.Module = model.float().eval().requires_grad_(False)
    return built
