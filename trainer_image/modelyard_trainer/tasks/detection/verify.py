"""Whether an exported file says the same as PyTorch. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ultralytics.data.augment import LetterBox
from ultralytics.utils.patches import imread

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.verifying import Images, in_pytorch, spread, verify_all

_BATCH = 4
"""Of a dynamic file's second input size."""


def verify(context: TaskContext, data: CheckedDataset, exports: Sequence[ExportedFile]) -> tuple[Verified, ...]:
    """Run each file and best.pt on the same validation pictures and compare the raw outputs.

    A file with open sizes is tried with a batch, and with rectangles too.
    """
    checkpoint = Checkpoint.load(context.results / BEST)
    model = build_model(checkpoint)
    reference = in_pytorch(lambda images: model(images)[0])
    pictures = spread(data.validation)
    size = checkpoint.image_size
    return verify_all(
        context,
        exports,
        inputs=lambda file: _inputs(pictures, size, dynamic=bool(file.details.get("dynamic"))),
        reference=reference,
        difference=lambda one, other, images: largest_difference(one, other, max(images.shape[2:])),
        pictures=len(pictures),
    )


def largest_difference(exported: NDArray[np.float32], reference: NDArray[np.float32], size: int) -> float:
    """Largest absolute difference of two outputs of (batch, 4 + classes, anchors).

    Boxes, in pixels, are divided by `size`, so that they weigh as scores do. Infinite where the shapes differ or one
    of them holds a value that is no number.
    """
    if exported.shape != reference.shape or not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        return float("inf")
    difference = np.abs(exported - reference)
    return float(max((difference[:, :4] / size).max(), difference[:, 4:].max()))


def _inputs(pictures: Sequence[Picture], size: int, *, dynamic: bool) -> list[Images]:
    square = [_image(picture, size, size) for picture in pictures]
    if not dynamic:
        return [image[None] for image in square]
    half = max(32, size // 2 // 32 * 32)
    batches = [np.stack(square[start : start + _BATCH]) for start in range(0, len(square), _BATCH)]
    return [*batches, np.stack([_image(picture, half, size) for picture in pictures[:_BATCH]])]


def _image(picture: Picture, height: int, width: int) -> Images:
    """A picture as the network sees it in use: scaled and padded with grey."""
    boxed = LetterBox(new_shape=(height, width))(image=imread(str(picture.path)))
    rgb: NDArray[np.uint8] = np.ascontiguousarray(boxed[..., ::-1].transpose(2, 0, 1))
    return rgb.astype(np.float32) / np.float32(255)
