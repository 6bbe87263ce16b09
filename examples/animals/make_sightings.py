"""Make a small data set for re-identification: animals seen by six cameras, in the layout of Market-1501.

The photographs are real and are Debian's (tuxpaint-stamps-default, GPL-2): one cut-out photograph of each animal. What
a camera sees of an animal is a view of that one photograph in the light, the colours, the sharpness and before the
backgrounds of that camera. So the data set tries out the whole way from file names to ranks, and tells nothing of how
well anybody is found again: for that, each individual would have to be photographed by several cameras. The same
arguments and Pillow give the same bytes.

    python -m examples.animals.make_sightings /tmp/sightings
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from examples.animals.stamps import photographs
from examples.folders import begin, write_checksums

CAMERAS = 6
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
DISTRACTOR, JUNK = 0, -1
_SMALLEST = 90
"""Pixels that a photograph's shorter side must have."""
_QUERIED_BY = 2
"""Cameras whose first picture of an animal is a query."""


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Make a data set of animals seen by six cameras.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--individuals", type=int, default=100, help="how many animals, half of them to train on")
    parser.add_argument("--pictures", type=int, default=2, help="of each animal by each camera")
    parser.add_argument("--height", type=int, default=64, help="of a picture in pixels")
    parser.add_argument("--duke", action="store_true", help="names as in DukeMTMC-reID instead of Market-1501")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.individuals, arguments.pictures, arguments.height, duke=arguments.duke)


def make(
    folder: Path, individuals: int = 100, pictures: int = 2, height: int = 64, *, skip: int = 0, duke: bool = False
) -> None:
    """Write bounding_box_train/, query/, bounding_box_test/ and, last, SHA256SUMS into `folder`.

    The test's animals are none of the training's. Its gallery also holds a few distractors (person 0) and, as
    Market-1501 has them, junk (person -1).

    Args:
        folder: where to; it is made if it is not there, and must otherwise be empty.
        individuals: how many animals: half of them are trained on, half are looked for.
        pictures: of each animal by each camera; at least two where one is a query.
        height: of a picture in pixels; half as wide.
        skip: how many of the photographs are left out before the first one.
        duke: names as in DukeMTMC-reID, such as 0001_c1_f0000001.jpg.
    """
    begin(folder)
    animals = _animals(skip, individuals + 4)
    for number, sighting in enumerate(_sightings(individuals, pictures)):
        path = folder / sighting.side / sighting.file_name(duke)
        path.parent.mkdir(exist_ok=True)
        draw = np.random.default_rng((number, sighting.camera))
        _view(animals[sighting.animal], (height, height // 2), sighting.camera, draw).save(path, quality=92)
    write_checksums(folder)


@dataclass(frozen=True)
class _Sighting:
    side: str
    animal: int
    person: int
    camera: int
    frame: int

    def file_name(self, duke: bool) -> str:
        person = f"{self.person:04}" if self.person >= 0 else str(self.person)
        if duke:
            return f"{person}_c{self.camera}_f{self.frame:07}.jpg"
        return f"{person}_c{self.camera}s1_{self.frame:06}_00.jpg"


def _sightings(individuals: int, pictures: int) -> Iterator[_Sighting]:
    frame = 0
    for animal in range(individuals):
        for camera in range(1, CAMERAS + 1):
            for view in range(pictures):
                frame += 1
                side = TRAIN if animal < individuals // 2 else GALLERY
                if side == GALLERY and not view and (camera - animal) % CAMERAS < _QUERIED_BY:
                    side = QUERY
                yield _Sighting(side, animal, animal + 1, camera, frame)
    for stranger in range(4):
        yield _Sighting(GALLERY, individuals + stranger, DISTRACTOR, 1 + stranger, frame + 1 + stranger)
    yield _Sighting(GALLERY, individuals - 1, JUNK, 1, frame + 5)


def _animals(skip: int, count: int) -> list[Image.Image]:
    found: list[Image.Image] = []
    for path in photographs():
        if len(found) == count:
            break
        with Image.open(path) as opened:
            if min(opened.size) < _SMALLEST:
                continue
            if skip:
                skip -= 1
                continue
            image = opened.convert("RGBA")
            image.thumbnail((256, 256))
            found.append(image)
    if len(found) < count:
        raise SystemExit(f"{count - len(found)} photographs of animals are missing; fewer individuals would be right")
    return found


def _view(animal: Image.Image, size: tuple[int, int], camera: int, draw: np.random.Generator) -> Image.Image:
    """What a camera sees: its own light, tint, sharpness and place, and a little of chance."""
    height, width = size
    own = np.random.default_rng(camera)
    light, contrast, blur = own.uniform(0.75, 1.25), own.uniform(0.8, 1.2), own.uniform(0, 0.8)
    tint, patches = own.uniform(0.9, 1.1, 3), own.integers(90, 170, (4, 2, 3))
    turned = animal.rotate(draw.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    turned = turned.crop(turned.getbbox())
    if draw.random() < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    wide, high = round(width * draw.uniform(0.8, 1.1)), round(height * draw.uniform(0.7, 1.0))
    turned = turned.resize((wide, high), Image.Resampling.LANCZOS)
    there = np.clip(patches + draw.integers(-15, 15, patches.shape), 0, 255).astype(np.uint8)
    view = Image.fromarray(there).resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - wide) // 2 + draw.integers(-2, 3), (height - high) // 2 + draw.integers(-4, 5)
    view.paste(turned, (int(left), int(top)), turned)
    view = ImageEnhance.Brightness(view).enhance(light * draw.uniform(0.9, 1.1))
    view = ImageEnhance.Contrast(view).enhance(contrast).filter(ImageFilter.GaussianBlur(blur))
    seen = np.asarray(view) * tint + draw.normal(scale=4, size=(height, width, 3))
    return Image.fromarray(seen.clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
