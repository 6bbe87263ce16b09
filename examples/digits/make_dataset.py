"""Make the digits data set: scanned digits pasted at several sizes onto photographs, as a YOLO folder.

The digits are scikit-learn's scans (1,797 of 8 x 8 pixels, UCI ML hand-written digits), the photographs those that the
ultralytics and scikit-image packages ship, so that nothing is downloaded. The same arguments give the same bytes.

    python examples/digits/make_dataset.py /tmp/digits
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

PHOTOGRAPHS = {
    "ultralytics": ("assets/bus.jpg", "assets/zidane.jpg"),
    "skimage": (
        "data/astronaut.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/grass.png",
        "data/gravel.png",
        "data/motorcycle_left.png",
        "data/rocket.jpg",
    ),
}
SMALLEST, LARGEST = 28, 64
JPEG_QUALITY = 90
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Placed:
    """One digit in a picture: its class, and its box in pixels."""

    digit: int
    left: int
    top: int
    side: int

    def overlaps(self, other: Placed) -> bool:
        """Whether the two boxes share a pixel."""
        return (
            self.left < other.left + other.side
            and other.left < self.left + self.side
            and self.top < other.top + other.side
            and other.top < self.top + self.side
        )

    def label(self, size: int) -> str:
        """The label line: class, centre and size as fractions of a picture of `size` x `size` pixels."""
        centre_x, centre_y = (self.left + self.side / 2) / size, (self.top + self.side / 2) / size
        return f"{self.digit} {centre_x:.6f} {centre_y:.6f} {self.side / size:.6f} {self.side / size:.6f}"


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Make the digits data set as a YOLO folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--size", type=int, default=160, help="side of a picture in pixels")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.images, arguments.size, arguments.seed)


def make(folder: Path, images: int = 800, size: int = 160, seed: int = 42) -> None:
    """Write images/, labels/, data.yaml and, last, SHA256SUMS into `folder`.

    Args:
        folder: where to; it is made if it is not there, and must otherwise be empty.
        images: how many pictures.
        size: side of a picture in pixels, at least LARGEST.
        seed: of everything that is drawn by lot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty; name a folder that is not there yet")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    draw = random.Random(seed)  # noqa: S311 - a reproducible draw is what is wanted
    scans = load_digits()
    photographs = _photographs(size)
    for number in range(images):
        picture = _crop(draw.choice(photographs), size, draw)
        placed: list[Placed] = []
        for _ in range(draw.randint(1, 4)):
            scan = draw.randrange(len(scans.target))
            spot = _free_spot(int(scans.target[scan]), placed, size, draw)
            if spot is not None:
                picture.paste(_paper(scans.images[scan], spot.side, draw), (spot.left, spot.top))
                placed.append(spot)
        name = f"digits-{number:05d}"
        picture.save(folder / "images" / f"{name}.jpg", quality=JPEG_QUALITY)
        (folder / "labels" / f"{name}.txt").write_text("".join(f"{each.label(size)}\n" for each in placed))
    (folder / "data.yaml").write_text("train: images\nnames:\n" + "".join(f"  {i}: {n}\n" for i, n in enumerate(NAMES)))
    _write_checksums(folder)


def _photographs(size: int) -> list[Image.Image]:
    """Every photograph, scaled so that its shorter side holds about two crops."""
    found = []
    for package, paths in PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"the photographs of the package {package} are needed: pip install {package}")
        for path in paths:
            picture = Image.open(Path(spec.origin).parent / path).convert("RGB")
            scale = 2 * size / min(picture.size)
            width, height = (round(side * scale) for side in picture.size)
            found.append(picture.resize((width, height), Image.Resampling.LANCZOS))
    return found


def _crop(photograph: Image.Image, size: int, draw: random.Random) -> Image.Image:
    left = draw.randint(0, photograph.width - size)
    top = draw.randint(0, photograph.height - size)
    return photograph.crop((left, top, left + size, top + size))


def _free_spot(digit: int, placed: list[Placed], size: int, draw: random.Random) -> Placed | None:
    """A box that overlaps none of those placed already; None where luck finds none."""
    for _ in range(50):
        side = draw.randint(SMALLEST, LARGEST)
        spot = Placed(digit, draw.randint(0, size - side), draw.randint(0, size - side), side)
        if not any(spot.overlaps(other) for other in placed):
            return spot
    return None


def _paper(scan: np.ndarray, side: int, draw: random.Random) -> Image.Image:
    """The scan (8 x 8, 0 to 16) as ink on a piece of paper of `side` x `side` pixels, each of a colour drawn by lot."""
    paper = np.array([draw.randint(190, 255) for _ in range(3)])
    ink = np.array([draw.randint(0, 70) for _ in range(3)])
    share = np.asarray(
        Image.fromarray((scan * (255 / 16)).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    )[..., None] / np.float64(255)
    return Image.fromarray((paper * (1 - share) + ink * share).round().astype(np.uint8))


def _write_checksums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}" for path in files
    ]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
