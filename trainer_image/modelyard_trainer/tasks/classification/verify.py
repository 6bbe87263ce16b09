"""Whether an exported classifier says the same as PyTorch. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from modelyard_api.pictures import Resize
from numpy.typing import NDArray

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.imaging.squares import as_planes, read_square
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.verifying import in_batches, in_pytorch, spread, verify_all


def verify(context: TaskContext, data: CheckedDataset, exports: Sequence[ExportedFile]) -> tuple[Verified, ...]:
    """Run each file and best.pt on the same validation pictures and compare the logits."""
    checkpoint = Checkpoint.load(context.results / BEST)
    pictures = spread(data.validation)
    images = np.stack(
        [as_planes(read_square(each, checkpoint.image_size, Resize(checkpoint.resize))) for each in pictures]
    )
    return verify_all(
        context,
        exports,
        inputs=lambda file: in_batches(images, file),
        reference=in_pytorch(build_model(checkpoint)),
        difference=lambda one, other, _images: largest_difference(one, other),
        pictures=len(pictures),
    )


def largest_difference(exported: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Largest absolute difference of two outputs of (batch, classes).

    Infinite where the shapes differ or one of them holds a value that is no number.
    """
    if exported.shape != reference.shape or not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        return float("inf")
    return float(np.abs(exported - reference).max())
