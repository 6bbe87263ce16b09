"""Learning rates as people schedule them by hand."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LambdaLR


def warm_cosine(optimizer: torch.optim.Optimizer, *, steps: int, warm: float, last: float) -> LambdaLR:
    """A cosine behind a linear warm-up, step by step.

    Args:
        optimizer: at its highest rate.
        steps: of the whole training.
        warm: of them, those of the warm-up.
        last: share of the highest rate at the end.
    """

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        share = min(1.0, (step - warm) / max(1.0, steps - warm))
        return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2

    return LambdaLR(optimizer, factor)
