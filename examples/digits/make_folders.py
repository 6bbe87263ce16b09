"""Make the digits data set for classification: scikit-learn's scanned digits as a folder for each.

1,797 scans of 8 x 8 pixels (UCI ML hand-written digits), enlarged to PNGs, so that nothing is downloaded. The same
arguments give the same bytes.

    python examples/digits/make_folders.py /tmp/digits
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_BRIGHTEST = 16


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Make the digits data set as image folders.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1797)
    parser.add_argument("--size", type=int, default=32, help="side of a picture in pixels")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.images, arguments.size)


def make(folder: Path, images: int = 1797, size: int = 32) -> None:
    """Write <digit>/<number>.png and, last, SHA256SUMS into `folder`.

    Args:
        folder: where to; it is made if it is not there, and must otherwise be empty.
        images: how many pictures, at most 1797.
        size: side of a picture in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    digits = load_digits()
    sums = []
    for number, (scan, label) in enumerate(zip(digits.images[:images], digits.target[:images], strict=True)):
        pixels = (scan * (255 / _BRIGHTEST)).astype(np.uint8)
        path = folder / NAMES[label] / f"{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC).save(path)
        sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    (folder / "SHA256SUMS").write_text("".join(sorted(sums, key=lambda line: line.split()[1])))


if __name__ == "__main__":
    main()
