"""The pictures that only a detection run has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from modelyard_trainer.tasks.plots import COLOURS, save

_LEGEND_CLASSES = 10
_TILE = 320


@dataclass(frozen=True)
class Drawn:
    """A predicted box, as left, top, right and bottom in pixels of the picture."""

    box: tuple[float, ...]
    label: int
    score: float


def draw_precision_recall(
    recall: NDArray[Any], precision: NDArray[Any], ap50: NDArray[Any], classes: Sequence[str], path: Path
) -> None:
    """Precision over recall at IoU 0.5: `recall` is (n,), `precision` (classes, n), `ap50` (classes,)."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for index, (line, name) in enumerate(zip(precision, classes, strict=False)):
        few = len(classes) <= _LEGEND_CLASSES
        label = f"{name} {ap50[index]:.3f}" if few else None
        axis.plot(recall, line, linewidth=1, color=COLOURS[index % len(COLOURS)] if few else "#bbbbbb", label=label)
    axis.plot(recall, precision.mean(0), linewidth=2.5, color="black", label=f"all classes {np.mean(ap50):.3f} mAP50")
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision", title="Precision over recall")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower left")
    save(figure, path)


def draw_predictions(sheet: Sequence[tuple[Image.Image, Sequence[Drawn]]], classes: Sequence[str], path: Path) -> None:
    """A sheet of validation pictures with what was found in them."""
    columns = min(4, max(1, len(sheet)))
    rows = max(1, math.ceil(len(sheet) / columns))
    canvas = Image.new("RGB", (columns * _TILE, rows * _TILE), "white")
    for index, (picture, found) in enumerate(sheet):
        scale = _TILE / max(picture.size)
        tile = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        _draw_boxes(tile, scale, found, classes)
        canvas.paste(tile, ((index % columns) * _TILE, (index // columns) * _TILE))
    canvas.save(path, quality=88)


def _draw_boxes(tile: Image.Image, scale: float, found: Sequence[Drawn], classes: Sequence[str]) -> None:
    draw = ImageDraw.Draw(tile)
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 13)
    for each in sorted(found, key=lambda one: one.score):
        colour = COLOURS[each.label % len(COLOURS)]
        left, top, right, bottom = (value * scale for value in each.box)
        draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=3)
        text = f" {classes[each.label]} {each.score:.2f} "
        x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
        above = max(0.0, top - (y1 - y0) - 5)
        left = min(left, tile.width - x1)
        draw.rectangle((left, above, left + x1 - x0, above + y1 - y0 + 5), fill=colour)
        draw.text((left, above), text, fill="white", font=font)
