"""How training pictures are varied. All is drawn from `random` and NumPy, which belong to the picture's place."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from modelyard_api.pictures import PictureAugment
from PIL import Image

Transform = Callable[[Image.Image], Image.Image]
_RATIO = (3 / 4, 4 / 3)
"""Of a random crop's sides, as in torchvision's RandomResizedCrop."""
_ATTEMPTS = 10
_GREY = (128, 128, 128)


@dataclass(frozen=True)
class Augment:
    """Varies a square.

    Attributes:
        horizontal_flip, vertical_flip: probabilities.
        crop_area: smallest share of the area that a crop keeps.
        side: of what comes out, in pixels.
        operations: further operations, if any.
    """

    horizontal_flip: float
    vertical_flip: float
    crop_area: float
    side: int
    operations: Transform | None = None

    def __call__(self, square: Image.Image) -> Image.Image:
        """One variation, side x side pixels."""
        if self.crop_area < 1:
            box = _random_box(square.width, self.crop_area)
            square = square.resize((self.side, self.side), Image.Resampling.BILINEAR, box=box)
        if random.random() < self.horizontal_flip:  # noqa: S311 - no secret
            square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < self.vertical_flip:  # noqa: S311
            square = square.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return self.operations(square) if self.operations else square

    def source_side(self, largest: int) -> int:
        """Side of the squares that it is to be given: larger where crops are scaled up, at most twice.

        Args:
            largest: side of the largest of the pictures, in pixels. Beyond it a crop would be enlarged twice, and be
                more blurred than any picture that the network sees in use.
        """
        wanted = self.side if self.crop_area == 1 else min(2 * self.side, round(self.side / math.sqrt(self.crop_area)))
        return max(self.side, min(wanted, largest))


def augmentation(asked: PictureAugment, side: int) -> Augment:
    """The augmentation that a spec asks for."""
    return Augment(
        asked.horizontal_flip,
        asked.vertical_flip,
        asked.crop_area,
        side,
        _rand_augment(asked.rand_augment.magnitude, asked.rand_augment.operations) if asked.rand_augment else None,
    )


def _rand_augment(magnitude: int, operations: int) -> Transform:
    from timm.data.auto_augment import rand_augment_transform  # noqa: PLC0415 - seconds

    made: Transform = rand_augment_transform(f"rand-m{magnitude}-n{operations}-mstd0.5", {"img_mean": _GREY})
    return made


def _random_box(side: int, smallest: float) -> tuple[int, int, int, int]:
    for _ in range(_ATTEMPTS):
        area = side * side * random.uniform(smallest, 1)  # noqa: S311
        ratio = math.exp(random.uniform(*map(math.log, _RATIO)))  # noqa: S311
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= side and 0 < height <= side:
            left, top = random.randint(0, side - width), random.randint(0, side - height)  # noqa: S311
            return left, top, left + width, top + height
    return 0, 0, side, side
