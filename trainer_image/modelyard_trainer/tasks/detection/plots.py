"""The pictures of a detection run, all in one plain style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from modelyard_trainer.tasks.base import Epoch

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A class may be called `$5` or `a$\b$`, which is no formula.
mpl.rcParams["text.parse_math"] = False

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#7f3c8d",
    "#666666",
    "#b58900",
    "#a6192e",
)
"""Okabe and Ito's colours, which people with any kind of sight can tell apart, and four more."""
_NUMBERED_CLASSES = 20
_LEGEND_CLASSES = 10
_TILE = 320
_COLUMNS = 3


@dataclass(frozen=True)
class Drawn:
    """A predicted box, as left, top, right and bottom in pixels of the picture."""

    box: tuple[float, ...]
    label: int
    score: float


def draw_curves(epochs: Sequence[Epoch], path: Path) -> None:
    """Losses and metrics over the epochs."""
    numbers = [epoch.number for epoch in epochs]
    names = list(epochs[0].metrics)
    losses = sorted({name.partition("/")[2] for name in names if name.startswith(("train/", "val/"))})
    scores = [name for name in ("mAP50", "mAP50-95", "precision", "recall") if name in names]
    panels = len(losses) + 2
    rows = math.ceil(panels / _COLUMNS)
    figure, grid = plt.subplots(
        rows, _COLUMNS, figsize=(3.4 * _COLUMNS, 2.8 * rows), layout="constrained", squeeze=False
    )
    axes = list(grid.flat)
    for axis in axes[panels:]:
        axis.remove()
    for axis, loss in zip(axes, losses, strict=False):
        series = {side: f"{side}/{loss}" for side in ("train", "val") if f"{side}/{loss}" in names}
        _lines(axis, numbers, epochs, series, loss.replace("_", " "))
    _lines(axes[panels - 2], numbers, epochs, {name: name for name in scores}, "metrics")
    axes[panels - 2].set_ylim(0, 1)
    _lines(axes[panels - 1], numbers, epochs, {"learning rate": "lr"}, "learning rate")
    _save(figure, path)


def draw_confusion(matrix: NDArray[Any], classes: Sequence[str], path: Path) -> None:
    """The confusion matrix: (classes + 1, classes + 1), predicted by true, background last; shares by true class."""
    names = [*classes, "background"]
    share = matrix / np.maximum(matrix.sum(0, keepdims=True), 1)
    side = min(14.0, 3.5 + 0.35 * len(names))
    figure, axis = plt.subplots(figsize=(side + 1, side), layout="constrained")
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, shrink=0.8, label="share of the true class")
    if len(names) <= _NUMBERED_CLASSES:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if share[row, column] > 0.5 else "black"
                axis.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=7, color=colour)
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set(xlabel="true", ylabel="predicted", title="Confusion matrix (counts; score above 0.25, IoU above 0.45)")
    axis.title.set_fontsize(9)
    _save(figure, path)


def draw_precision_recall(
    recall: NDArray[Any], precision: NDArray[Any], ap50: NDArray[Any], classes: Sequence[str], path: Path
) -> None:
    """Precision over recall at IoU 0.5: `recall` is (n,), `precision` (classes, n), `ap50` (classes,)."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for index, (line, name) in enumerate(zip(precision, classes, strict=False)):
        few = len(classes) <= _LEGEND_CLASSES
        label = f"{name} {ap50[index]:.3f}" if few else None
        axis.plot(recall, line, linewidth=1, color=_COLOURS[index % len(_COLOURS)] if few else "#bbbbbb", label=label)
    axis.plot(recall, precision.mean(0), linewidth=2.5, color="black", label=f"all classes {np.mean(ap50):.3f} mAP50")
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision", title="Precision over recall")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower left")
    _save(figure, path)


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
        colour = _COLOURS[each.label % len(_COLOURS)]
        left, top, right, bottom = (value * scale for value in each.box)
        draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=3)
        text = f" {classes[each.label]} {each.score:.2f} "
        x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
        above = max(0.0, top - (y1 - y0) - 5)
        left = min(left, tile.width - x1)
        draw.rectangle((left, above, left + x1 - x0, above + y1 - y0 + 5), fill=colour)
        draw.text((left, above), text, fill="white", font=font)


def _lines(axis: Axes, numbers: Sequence[int], epochs: Sequence[Epoch], series: Mapping[str, str], title: str) -> None:
    for index, (label, name) in enumerate(series.items()):
        values = [epoch.metrics.get(name, math.nan) for epoch in epochs]
        axis.plot(numbers, values, marker="o", markersize=2.5, linewidth=1.3, color=_COLOURS[index], label=label)
    axis.set(title=title, xlabel="epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=120)
    plt.close(figure)
