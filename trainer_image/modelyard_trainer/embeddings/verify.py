"""Whether an exported embedding network says the same as PyTorch. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from modelyard_trainer.tasks.base import ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.verifying import Images, in_batches, in_pytorch, verify_all


def verify_embedder(
    context: TaskContext, exports: Sequence[ExportedFile], network: nn.Module, images: Images
) -> tuple[Verified, ...]:
    """Run each file and the network on the same pictures and compare their embeddings."""
    return verify_all(
        context,
        exports,
        inputs=lambda file: in_batches(images, file),
        reference=in_pytorch(network),
        difference=lambda one, other, _images: largest_distance(one, other),
        pictures=len(images),
    )


def largest_distance(exported: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Largest Euclidean distance of two embeddings of (batch, width): no similarity to any third differs by more.

    Infinite where the shapes differ or one of them holds a value that is no number.
    """
    if exported.shape != reference.shape or not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        return float("inf")
    return float(np.linalg.norm(exported.astype(np.float64) - reference, axis=1).max())
