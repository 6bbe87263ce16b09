"""A published ONNX model used as its new owner would: onnxruntime, numpy and nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

SCORE, SAME_OBJECT = 0.25, 0.5


@dataclass(frozen=True)
class Found:
    """One object: class, score, and its box as left, top, right, bottom in pixels."""

    label: int
    score: float
    box: tuple[float, float, float, float]


class Detector:
    """An ultralytics detection network: pictures of (1, 3, height, width) in, (1, 4 + classes, places) out."""

    def __init__(self, model: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def find(self, picture: Path) -> list[Found]:
        """What is in a picture, best first, each object once."""
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32) / 255
        (output,) = self._session.run(None, {self._session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})
        return _each_once(_confident(np.asarray(output)[0]))


def labelled(label_file: Path, side: int) -> list[Found]:
    """What a YOLO label file says is in a picture of `side` x `side` pixels."""
    objects = []
    for line in label_file.read_text().splitlines():
        number, x, y, width, height = (float(word) for word in line.split())
        objects.append(Found(int(number), 1.0, _corners(*(value * side for value in (x, y, width, height)))))
    return objects


def overlap(one: Found, other: Found) -> float:
    """Intersection over union of two boxes."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(found.box[2] - found.box[0]) * (found.box[3] - found.box[1]) for found in (one, other)]
    return shared / (sum(areas) - shared)


def right_ones(found: Sequence[Found], wanted: Sequence[Found]) -> int:
    """How many of the wanted objects were found, in their place and with their class."""
    return sum(any(each.label == one.label and overlap(each, one) >= SAME_OBJECT for each in found) for one in wanted)


def _confident(output: NDArray[np.float32]) -> list[Found]:
    scores = output[4:].max(axis=0)
    places = np.flatnonzero(scores >= SCORE)
    return [
        Found(int(output[4:, place].argmax()), float(scores[place]), _corners(*map(float, output[:4, place])))
        for place in places[np.argsort(-scores[places])]
    ]


def _each_once(found: list[Found]) -> list[Found]:
    kept: list[Found] = []
    for each in found:
        if all(overlap(each, other) < SAME_OBJECT for other in kept):
            kept.append(each)
    return kept


def _corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
