"""How pictures of persons are varied. All is drawn from `random` and torch, which belong to the picture's place."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from modelyard_api.reid import ReidAugment
from PIL import Image
from torchvision.transforms import ColorJitter

_ENLARGED = 1.125
_AREA, _RATIO, _ATTEMPTS = (0.02, 0.4), 0.3, 100
"""Of what is covered (arXiv:1708.04896): share of the picture, least height by width, and how often it is tried."""
_MEAN = (124, 116, 104)
"""ImageNet's mean colour: zero behind the normalisation."""


class Variation:
    """Varies a picture and keeps its size, in the order and with the numbers of torchreid.

    Args:
        asked: how likely what is.
    """

    def __init__(self, asked: ReidAugment) -> None:
        self._asked = asked
        jitter = asked.color_jitter
        self._jitter: Callable[[Image.Image], Image.Image] | None = (
            ColorJitter(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) if jitter else None
        )

    def __call__(self, image: Image.Image) -> Image.Image:
        """One variation."""
        asked = self._asked
        if random.random() < asked.random_flip:  # noqa: S311 - no secret
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < asked.random_crop:  # noqa: S311
            image = _moved(image)
        if self._jitter:
            image = self._jitter(image)
        if random.random() < asked.random_gray_scale:  # noqa: S311
            image = image.convert("L").convert("RGB")
        if random.random() < asked.random_erase:  # noqa: S311
            image = _covered(image)
        return image


def _moved(image: Image.Image) -> Image.Image:
    """A place of the original size in the picture made larger by an eighth."""
    width, height = round(image.width * _ENLARGED), round(image.height * _ENLARGED)
    left, top = random.randint(0, width - image.width), random.randint(0, height - image.height)  # noqa: S311
    larger = image.resize((width, height), Image.Resampling.BILINEAR)
    return larger.crop((left, top, left + image.width, top + image.height))


def _covered(image: Image.Image) -> Image.Image:
    """The picture with a rectangle of the mean colour on it."""
    for _ in range(_ATTEMPTS):
        area = image.width * image.height * random.uniform(*_AREA)  # noqa: S311
        ratio = random.uniform(_RATIO, 1 / _RATIO)  # noqa: S311
        height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if width < image.width and height < image.height:
            left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)  # noqa: S311
            covered = image.copy()
            covered.paste(_MEAN, (left, top, left + width, top + height))
            return covered
    return image
