"""The lines of a YOLO label file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard_trainer.dataset.model import Objects

_BOX_COLUMNS = 5
_FEWEST_POLYGON_COLUMNS = 7


class LabelError(ValueError):
    """A line is wrong; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class ParsedLabels:
    """What a label file holds, and how many of its lines said the same as one before them and were left out."""

    objects: Objects
    repeated: int


def parse_labels(text: str, classes: int, width: int, height: int) -> ParsedLabels:
    """Read a label file: `class x y width height`, or `class x1 y1 x2 y2 x3 y3 ...` for outlines, one object a line.

    All coordinates are fractions of the picture. Edges may stand out by one pixel, as rounding makes them.

    Args:
        text: what the file holds.
        classes: how many classes there are.
        width: the picture's, in pixels.
        height: the picture's, in pixels.

    Raises:
        LabelError: a line is malformed, its class is out of range or its box is outside the picture.
    """
    ids: list[int] = []
    boxes: list[tuple[float, float, float, float]] = []
    polygons: list[np.ndarray] = []
    seen: set[tuple[float, ...]] = set()
    repeated = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        values = _numbers(line, number)
        class_id = _class_id(values[0], classes, number)
        coordinates = values[1:]
        outline = len(values) != _BOX_COLUMNS
        if boxes and outline != bool(polygons):
            raise LabelError(number, "outlines and boxes are mixed in one file; all lines must be of one kind")
        box = _box_of_outline(coordinates) if outline else (values[1], values[2], values[3], values[4])
        _check_inside(box, width, height, number)
        if tuple(values) in seen:
            repeated += 1
            continue
        seen.add(tuple(values))
        ids.append(class_id)
        boxes.append(box)
        if outline:
            polygons.append(np.array(coordinates, np.float32).reshape(-1, 2))
    objects = Objects(np.array(ids, np.int64), np.array(boxes, np.float32).reshape(-1, 4), tuple(polygons))
    return ParsedLabels(objects, repeated)


def _numbers(line: str, number: int) -> list[float]:
    words = line.split()
    if len(words) != _BOX_COLUMNS and (len(words) < _FEWEST_POLYGON_COLUMNS or len(words) % 2 == 0):
        raise LabelError(
            number, f"{len(words)} values; 5 would be right (class, centre x, centre y, width, height, as fractions)"
        )
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            raise LabelError(number, f"{word!r} is not a number") from None
        if not math.isfinite(value):
            raise LabelError(number, f"{word!r} is not a finite number")
        values.append(value)
    return values


def _class_id(value: float, classes: int, number: int) -> int:
    if value != int(value) or not 0 <= value < classes:
        raise LabelError(
            number, f"class {value:g} is not one of the {classes} classes of the data set (0 to {classes - 1})"
        )
    return int(value)


def _box_of_outline(coordinates: Sequence[float]) -> tuple[float, float, float, float]:
    xs, ys = coordinates[0::2], coordinates[1::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _check_inside(box: tuple[float, float, float, float], width: int, height: int, number: int) -> None:
    x, y, w, h = box
    if w <= 0 or h <= 0:
        raise LabelError(number, f"width {w:g} and height {h:g}; both must be above 0")
    edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    pixel_x, pixel_y = 1 / width, 1 / height
    inside_x = -pixel_x <= edges[0] and edges[2] <= 1 + pixel_x
    inside_y = -pixel_y <= edges[1] and edges[3] <= 1 + pixel_y
    if not (inside_x and inside_y):
        hint = "; these look like pixels, fractions of the picture would be right" if max(box) > 2 else ""
        raise LabelError(
            number,
            f"the box is outside the picture (left {edges[0]:g}, top {edges[1]:g}, right {edges[2]:g}, "
            f"bottom {edges[3]:g}, where 0 to 1 is the picture){hint}",
        )
