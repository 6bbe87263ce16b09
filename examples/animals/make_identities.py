"""Make a small data set for face identification: a folder for each of some hundred animals.

The photographs are real and are Debian's (tuxpaint-stamps-default, GPL-2): one cut-out photograph of each animal. The
pictures of one animal are views of that one photograph, turned, mirrored, scaled, moved, lit and put before other
backgrounds. So they try out the whole way from folders to embeddings, and tell nothing of how well faces are told
apart: for that, each individual would have to be photographed more than once. Every sixth animal has few pictures, so
that `minImagesPerIdentity` has something to leave out. The same arguments and Pillow give the same bytes.

    python -m examples.animals.make_identities /tmp/animals
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from examples.animals.stamps import photographs
from examples.folders import begin, write_checksums

FEW = 4
"""Pictures of every sixth animal."""
_SMALLEST = 90
"""Pixels that a photograph's shorter side must have."""


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Make a data set of animals as image folders.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--identities", type=int, help="how many animals; all without it")
    parser.add_argument("--pictures", type=int, default=16, help="of each animal that has not few")
    parser.add_argument("--size", type=int, default=64, help="side of a picture in pixels")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.identities, arguments.pictures, arguments.size)


def make(folder: Path, identities: int | None = None, pictures: int = 16, size: int = 64) -> None:
    """Write <animal>/<number>.jpg and, last, SHA256SUMS into `folder`.

    Args:
        folder: where to; it is made if it is not there, and must otherwise be empty.
        identities: how many animals; None for all.
        pictures: of each, but of every sixth only FEW.
        size: side of a picture in pixels.
    """
    begin(folder)
    for number, (name, animal) in enumerate(_animals()[:identities]):
        (folder / name).mkdir()
        for view in range(FEW if number % 6 == 5 else pictures):
            path = folder / name / f"{view:02d}.jpg"
            _view(animal, size, np.random.default_rng((number, view))).save(path, quality=92)
    write_checksums(folder)


def _animals() -> list[tuple[str, Image.Image]]:
    found = []
    for path in photographs():
        with Image.open(path) as opened:
            if min(opened.size) >= _SMALLEST:
                image = opened.convert("RGBA")
                image.thumbnail((512, 512))
                found.append((path.stem.lower(), image))
    return found


def _view(animal: Image.Image, size: int, draw: np.random.Generator) -> Image.Image:
    turned = animal.rotate(draw.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    turned = turned.crop(turned.getbbox())
    if draw.random() < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = size * draw.uniform(0.75, 1.2) / max(turned.size)
    wide, high = (max(8, round(side * scale)) for side in turned.size)
    turned = turned.resize((wide, high), Image.Resampling.LANCZOS)
    view = _background(size, draw)
    slack = size / 8
    left, top = (round((size - side) / 2 + draw.uniform(-slack, slack)) for side in (wide, high))
    view.paste(turned, (left, top), turned)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhance(view).enhance(draw.uniform(0.65, 1.35))
    noisy = np.asarray(view) + draw.normal(scale=draw.uniform(0, 8), size=(size, size, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _background(size: int, draw: np.random.Generator) -> Image.Image:
    """Soft patches of any colours."""
    patches = draw.integers(40, 220, (3, 3, 3)).astype(np.uint8)
    return Image.fromarray(patches).resize((size, size), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
