"""The part of a picture that is looked at, as a square or another rectangle of one size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from modelyard_api.pictures import Resize
from modelyard_api.spec import ImageCache
from numpy.typing import NDArray
from PIL import Image, ImageOps

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.loop.ranks import ALONE, Ranks

Square = NDArray[np.uint8]
"""(side, side, 3), or (height, width, 3) where that is asked for, RGB."""
Side = int | tuple[int, int]
"""Pixels of a square's side, or height and width of another rectangle."""


class Squares(Protocol):
    """Squares by the picture's number."""

    def __getitem__(self, index: int) -> Square:
        """That of one picture; not to be written to."""

    def __len__(self) -> int:
        """How many pictures there are."""


def read_square(picture: Picture, side: Side, resize: Resize) -> Square:
    """Read a picture, upright, cut its object out and make it a square."""
    with Image.open(picture.path) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    x, y, width, height = (float(value) for value in picture.objects.boxes[0])
    box = (
        max(0, math.floor((x - width / 2) * upright.width + 1e-3)),
        max(0, math.floor((y - height / 2) * upright.height + 1e-3)),
        min(upright.width, math.ceil((x + width / 2) * upright.width - 1e-3)),
        min(upright.height, math.ceil((y + height / 2) * upright.height - 1e-3)),
    )
    return np.asarray(to_square(upright.crop(box), side, resize))


def largest_side(pictures: Sequence[Picture]) -> int:
    """Pixels of the longest side of what is cut out of any of the pictures."""
    sides: list[float] = [
        side
        for picture in pictures
        for side in (picture.objects.boxes[0][2:] * (picture.width, picture.height)).tolist()
    ]
    return math.ceil(max(sides) - 1e-3)


def as_planes(square: Square) -> NDArray[np.float32]:
    """A square as a network sees it in use: (3, height, width), 0 to 1."""
    return np.ascontiguousarray(square.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def to_square(image: Image.Image, side: Side, resize: Resize) -> Image.Image:
    """An image scaled to that size (bilinear, with antialiasing)."""
    height, width = height_and_width(side)
    size, method = (width, height), Image.Resampling.BILINEAR
    if resize is Resize.CROP:
        return ImageOps.fit(image, size, method)
    if resize is Resize.PAD:
        return ImageOps.pad(image, size, method)
    return image.resize(size, method)


def height_and_width(side: Side) -> tuple[int, int]:
    """Both sides, in pixels."""
    return (side, side) if isinstance(side, int) else side


class ReadSquares:
    """Squares that are read whenever they are asked for."""

    def __init__(self, pictures: Sequence[Picture], side: Side, resize: Resize) -> None:
        self._pictures, self._side, self._resize = pictures, side, resize

    def __getitem__(self, index: int) -> Square:
        return read_square(self._pictures[index], self._side, self._resize)

    def __len__(self) -> int:
        return len(self._pictures)


def squares(
    pictures: Sequence[Picture],
    side: Side,
    resize: Resize,
    *,
    cache: ImageCache,
    file: Path,
    threads: int,
    ranks: Ranks = ALONE,
) -> Squares:
    """The squares of pictures, read once and for all where a cache is asked for; they are the same with and without.

    Args:
        pictures: whose objects are cut out.
        side: of each, in pixels.
        resize: how what is cut out becomes a square.
        cache: where squares are kept. Loaders' processes share either kind.
        file: for a cache on disk.
        threads: that fill a cache.
        ranks: who all ask for the same; the first fills a cache, and a file holds it in either case, so that it lies in
            memory once.
    """
    read = ReadSquares(pictures, side, resize)
    if cache is ImageCache.NONE:
        return read
    shape = (len(pictures), *height_and_width(side), 3)

    def fill() -> NDArray[np.uint8]:
        kept: NDArray[np.uint8]
        if cache is ImageCache.DISK or ranks.count > 1:
            file.parent.mkdir(parents=True, exist_ok=True)
            kept = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        else:
            kept = np.empty(shape, np.uint8)
        with ThreadPoolExecutor(threads) as pool:
            for index, square in enumerate(pool.map(read.__getitem__, range(len(pictures)))):
                kept[index] = square
        return kept

    if ranks.count == 1:
        return fill()
    ranks.from_first(lambda: len(fill()))
    return np.lib.format.open_memmap(file, "r")
