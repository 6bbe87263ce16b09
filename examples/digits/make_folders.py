"""Make the digits data set for classification: scikit-learn's scanned digits as a folder for each.

1,797 scans of 8 x 8 pixels (UCI ML hand-written digits), enlarged to PNGs, so that nothing is downloaded. The same
arguments give the same bytes.

    python -m examples.digits.make_folders /tmp/digits
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from examples.folders import begin, write_checksums

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
    begin(folder)
    digits = load_digits()
    for number, (scan, label) in enumerate(zip(digits.images[:images], digits.target[:images], strict=True)):
        pixels = (scan * (255 / _BRIGHTEST)).astype(np.uint8)
        path = folder / NAMES[label] / f"{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC).save(path)
    write_checksums(folder)


if __name__ == "__main__":
    main()
