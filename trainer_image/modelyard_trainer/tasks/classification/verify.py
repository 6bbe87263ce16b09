"""Whether an exported classifier says the same as PyTorch. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from modelyard_api.classification import Resize
from numpy.typing import NDArray

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.imaging.squares import read_square
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.verifying import Images, in_pytorch, spread, verify_all

_BATCH = 4
"""Of a file whose batch size is open."""


def verify(context: TaskContext, data: CheckedDataset, exports: Sequence[ExportedFile]) -> tuple[Verified, ...]:
    """Run each file and best.pt on the same validation pictures and compare the logits."""
    checkpoint = Checkpoint.load(context.results / BEST)
    pictures = spread(data.validation)
    images = np.stack([_image(each, checkpoint.image_size, Resize(checkpoint.resize)) for each in pictures])
    return verify_all(
        context,
        exports,
        inputs=lambda file: _batches(images, _BATCH if file.details.get("dynamic") else 1),
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


def _batches(images: Images, size: int) -> list[Images]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def _image(picture: Picture, side: int, resize: Resize) -> Images:
    """A picture as the network sees it in use."""
    planes = read_square(picture, side, resize).transpose(2, 0, 1)
    return np.ascontiguousarray(planes).astype(np.float32) / np.float32(255)
