"""The published weights of a re-identification network, and the network that they are of.

`state_dict` has the names of torchreid's own model: `build_model(architecture, len(names)).load_state_dict(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from modelyard_trainer.tasks.reid.architecture import build
from modelyard_trainer.tasks.weights_file import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor

    from modelyard_trainer.tasks.reid.network import Reidentifier


@dataclass(frozen=True)
class Checkpoint(WeightsFile):
    """A network at one epoch: all that is needed to build it again."""

    form: ClassVar[str] = "modelyard/reid/v1"

    architecture: str
    classes: tuple[str, ...]
    """The persons that the classifier tells apart."""
    height: int
    width: int
    normalize: bool
    distance: str
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """Of the backbone and its classifier, 32-bit floats."""


def build_model(checkpoint: Checkpoint) -> Reidentifier:
    """The network with the checkpoint's weights, for inference on the CPU."""
    model = build(
        checkpoint.architecture,
        len(checkpoint.classes),
        normalize=checkpoint.normalize,
        unit=checkpoint.distance == "cosine",
    )
    model.backbone.load_state_dict(dict(checkpoint.weights), strict=True)
    return model.float().eval().requires_grad_(False)
