"""The published weights of an identifier, and the network that they are of.

In `state_dict`, what begins with `embedder.backbone.` has the names of timm's own model:
`timm.create_model(architecture, num_classes=0)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from modelyard_api.face_id import FaceId, HeadName

from modelyard_trainer.tasks.weights_file import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from modelyard_trainer.tasks.face_id.network import Identifier


@dataclass(frozen=True)
class Checkpoint(WeightsFile):
    """An identifier at one epoch: all that is needed to build it again."""

    form: ClassVar[str] = "modelyard/face-id/v1"

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    resize: str
    embedding_size: int
    head: str
    scale: float
    margin: float
    epoch: int
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]
    """Of the embedding network and the head, 32-bit floats."""


def build_model(checkpoint: Checkpoint) -> Identifier:
    """The identifier with the checkpoint's weights, for inference on the CPU."""
    from modelyard_trainer.tasks.face_id.network import build  # noqa: PLC0415 - seconds

    head = HeadName(checkpoint.head)
    asked = {} if head is HeadName.LINEAR else {"scale": checkpoint.scale, "margin": checkpoint.margin}
    block = FaceId(head=head, embedding_size=checkpoint.embedding_size, **asked)
    model = build(checkpoint.architecture, block, len(checkpoint.classes), checkpoint.image_size)
    model.load_state_dict(dict(checkpoint.weights), strict=True)
    return model.float().eval().requires_grad_(False)


def build_embedder(checkpoint: Checkpoint) -> nn.Module:
    """What is deployed of it."""
    return build_model(checkpoint).embedder
