"""What the loss makes of embeddings. Imports torch.

Each head computes in 32-bit floats whatever the backbone's precision is: a margin is lost in the rounding of 16.
"""

from __future__ import annotations

import math

import torch
from modelyard_api.face_id import FaceId, HeadName
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

Logits = tuple[Tensor, Tensor]
"""(n, classes) twice: with the margin, for the loss; and without, which say who it is."""
_SMALLEST = 1e-12


class MarginHead(nn.Module):
    """Scaled cosines of embeddings and one vector for each identity; one's own is made harder by a margin.

    Args:
        width: of the embeddings.
        classes: identities.
        scale: what cosines are multiplied with.
        margin: an angle in radians, or a cosine.
    """

    def __init__(self, width: int, classes: int, scale: float, margin: float) -> None:
        super().__init__()
        # As insightface begins; only the direction counts.
        self.weight = nn.Parameter(torch.empty(classes, width).normal_(std=0.01))
        self.scale, self.margin = scale, margin

    def forward(self, features: Tensor, labels: Tensor) -> Logits:
        """Of (n, width) features of any length and (n,) classes."""
        with torch.autocast(features.device.type, enabled=False):
            cosines = linear(normalize(features.float()), normalize(self.weight.float()))
            own = cosines.gather(1, labels[:, None])
            harder = cosines.scatter(1, labels[:, None], self.harder(own))
            return harder * self.scale, cosines * self.scale

    def harder(self, cosines: Tensor) -> Tensor:
        """The cosines to one's own identity, with the margin."""
        raise NotImplementedError


class CosFace(MarginHead):
    """cos(t) - m (Wang et al., arXiv:1801.09414, equation 4)."""

    def harder(self, cosines: Tensor) -> Tensor:
        """Less by the margin."""
        return cosines - self.margin


class ArcFace(MarginHead):
    """cos(t + m) (Deng et al., arXiv:1801.07698, equation 3).

    Where t + m would be above pi, and its cosine rise again, cos(t) - m sin(m) goes on falling, as in insightface.
    """

    def harder(self, cosines: Tensor) -> Tensor:
        """The cosine of an angle that is larger by the margin."""
        cos, sin = math.cos(self.margin), math.sin(self.margin)
        sines = (1 - cosines.square()).clamp(min=_SMALLEST).sqrt()
        return torch.where(cosines > -cos, cosines * cos - sines * sin, cosines - self.margin * sin)


class Linear(nn.Linear):
    """A plain classifier."""

    def forward(self, features: Tensor, _labels: Tensor | None = None) -> Logits:  # type: ignore[override]
        """Of (n, width) features."""
        with torch.autocast(features.device.type, enabled=False):
            logits = super().forward(features.float())
            return logits, logits


def build_head(block: FaceId, classes: int) -> nn.Module:
    """The head that a spec asks for, at a random start from torch's generator."""
    if block.head is HeadName.LINEAR:
        # Without a bias who is likeliest does not depend on an embedding's length, which a deployed one has lost.
        return Linear(block.embedding_size, classes, bias=False)
    kind = ArcFace if block.head is HeadName.ARCFACE else CosFace
    return kind(block.embedding_size, classes, block.logit_scale, block.logit_margin)
