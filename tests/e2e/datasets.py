"""Data sets for stories: the example's own, a small one, and some that cannot be trained on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from examples.digits.make_dataset import make
from examples.folders import write_checksums

SMALL_IMAGES = 60
Change = Callable[[Path], object]


def small(folder: Path) -> Path:
    """The example's data set with a few pictures."""
    make(folder, images=SMALL_IMAGES)
    return folder


def spoilt(sound: Path, folder: Path, change: Change, *, summed: bool = True) -> Path:
    """A copy of a data set with one change; its SHA256SUMS is written anew, unless a wrong one is the point."""
    shutil.copytree(sound, folder)
    change(folder)
    if summed:
        write_checksums(folder)
    return folder


def with_line(label: str, line: int, text: str) -> Change:
    """One line of one label file says something else; the lines before it, where there are none, are sound."""

    def change(folder: Path) -> None:
        path = folder / "labels" / label
        lines = path.read_text().splitlines()
        lines += ["0 0.5 0.5 0.2 0.2"] * (line - len(lines))
        lines[line - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return change


def with_bytes(path: str, content: bytes) -> Change:
    """One file holds something else."""
    return lambda folder: (folder / path).write_bytes(content)


def without_pictures(folder: Path) -> None:
    """No picture and no label is left, but the folder is: S3 knows a folder only by what lies in it."""
    for kind in ("images", "labels"):
        for path in (folder / kind).iterdir():
            path.unlink()
    (folder / "images" / "README.txt").write_text("The pictures will follow.\n")
