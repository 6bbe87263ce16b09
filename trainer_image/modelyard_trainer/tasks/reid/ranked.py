"""Pictures of what a network took for the same person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.dataset.reid import Target
from modelyard_trainer.imaging.squares import read_square
from modelyard_trainer.tasks.reid.ranking import Distances
from modelyard_trainer.tasks.reid.recipe import RESIZE

_ROWS, _BORDER, _GAP = 8, 3, 4
_HEIGHT = 128
_QUERY, _RIGHT, _WRONG, _PAPER = (0, 0, 0), (0, 158, 115), (213, 94, 0), (255, 255, 255)
"""Green and vermilion of Okabe and Ito, which people with any kind of sight can tell apart."""


def chosen_queries(target: Target) -> NDArray[np.int64]:
    """A few of a target's queries, from the first to the last."""
    count = len(target.query.pictures)
    return np.unique(np.linspace(0, count - 1, min(_ROWS, count)).astype(np.int64))


def draw_ranked(
    target: Target,
    queries: NDArray[np.int64],
    distances: Distances,
    *,
    size: tuple[int, int],
    places: int,
    path: Path,
) -> None:
    """Draw a row for each query: the picture that is looked for, and the first ones found, framed by whether rightly.

    Args:
        target: who is looked for, and where.
        queries: (n,) numbers of them.
        distances: (n, gallery).
        size: height and width that the network sees.
        places: how many are shown.
        path: where to.
    """
    rows = [_row(target, int(query), row, places) for query, row in zip(queries, distances, strict=True)]
    shown = (_HEIGHT, max(16, round(_HEIGHT * size[1] / size[0])))
    cell = (shown[1] + 2 * _BORDER + _GAP, shown[0] + 2 * _BORDER + _GAP)
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (columns * cell[0] + 3 * _GAP, len(rows) * cell[1]), _PAPER)
    for down, row in enumerate(rows):
        for right, (picture, colour) in enumerate(row):
            image = Image.fromarray(read_square(picture, shown, RESIZE))
            apart = 3 * _GAP if right else 0
            sheet.paste(ImageOps.expand(image, _BORDER, colour), (right * cell[0] + apart, down * cell[1]))
    sheet.save(path)


def _row(
    target: Target, query: int, distances: NDArray[np.float32], places: int
) -> Sequence[tuple[Picture, tuple[int, int, int]]]:
    person, camera = target.query.persons[query], target.query.cameras[query]
    gallery = target.gallery
    order = np.argsort(distances, kind="stable")
    counted = order[(gallery.persons[order] != person) | (gallery.cameras[order] != camera)][:places]
    found = [(gallery.pictures[each], _RIGHT if gallery.persons[each] == person else _WRONG) for each in counted]
    return [(target.query.pictures[query], _QUERY), *found]
