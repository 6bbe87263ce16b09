"""The losses of re-identification. Imports torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

Shown = tuple[Tensor, Tensor]
"""(n, width) features and (n,) numbers of the persons whom they are of."""


def batch_hard_triplet(features: Tensor, persons: Tensor, margin: float, among: Shown | None = None) -> Tensor:
    """The mean over anchors of max(0, margin + furthest of the same person - nearest of another).

    In Defense of the Triplet Loss for Person Re-Identification (arXiv:1703.07737), equation 5, as torchreid's
    TripletLoss computes it. An anchor without anybody else in the batch counts as 0.

    Args:
        features: (n, width); the loss is computed in their precision.
        persons: (n,) numbers.
        margin: in the unit of the features' Euclidean distance.
        among: the batch in which each anchor has the others, where the anchors are a part of it.
    """
    squares = features.square().sum(1)
    others, whose = among or (features, persons)
    other_squares = others.square().sum(1) if among else squares
    # Not below 1e-12: the root has no slope at 0, which every picture's distance to itself is.
    distances = (squares[:, None] + other_squares - 2 * features @ others.T).clamp(min=1e-12).sqrt()
    same = persons[:, None] == whose
    furthest = distances.masked_fill(~same, -math.inf).amax(1)
    nearest = distances.masked_fill(same, math.inf).amin(1)
    return torch.relu(furthest - nearest + margin).mean()
