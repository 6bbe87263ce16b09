"""The pictures that runs of several tasks have in common, all in one plain style."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from modelyard_trainer.tasks.base import PLOTS, Epoch, metric_names

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A class may be called `$5` or `a$\b$`, which is no formula.
mpl.rcParams["text.parse_math"] = False

COLOURS = (
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
_COLUMNS = 3
_log = logging.getLogger("modelyard.training")


def drawn(pictures: Mapping[str, Callable[[Path], None]], results: Path) -> tuple[str, ...]:
    """Draw each picture into `results`/plots; one that cannot be drawn is no reason to throw a trained model away.

    Returns:
        A sentence for each picture that is missing.
    """
    folder, notices = results / PLOTS, []
    folder.mkdir(exist_ok=True)
    for name, draw in pictures.items():
        try:
            draw(folder / name)
        except Exception as error:
            _log.exception("%s could not be drawn", name)
            (folder / name).unlink(missing_ok=True)
            notices.append(f"{PLOTS}/{name} is missing, since it could not be drawn: {error}")
    return tuple(notices)


def draw_curves(epochs: Sequence[Epoch], metrics: Sequence[str], path: Path) -> None:
    """Losses, the `metrics` (between 0 and 1) and the learning rate over the epochs; nothing where none was trained."""
    if not epochs:
        return
    numbers = [epoch.number for epoch in epochs]
    names = metric_names(epochs)
    losses = sorted({name.partition("/")[2] for name in names if name.startswith(("train/", "val/"))})
    scores = [name for name in metrics if name in names]
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
    save(figure, path)


def draw_confusion(matrix: NDArray[Any], names: Sequence[str], path: Path, note: str = "counts") -> None:
    """The confusion matrix: (names, names), predicted by true; colours are shares of the true class."""
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
    axis.set(xlabel="true", ylabel="predicted", title=f"Confusion matrix ({note})")
    axis.title.set_fontsize(9)
    save(figure, path)


def _lines(axis: Axes, numbers: Sequence[int], epochs: Sequence[Epoch], series: Mapping[str, str], title: str) -> None:
    for index, (label, name) in enumerate(series.items()):
        values = [epoch.metrics.get(name, math.nan) for epoch in epochs]
        # Without the gaps between them, validations that come every few epochs are a line, too.
        known = {number: value for number, value in zip(numbers, values, strict=True) if not math.isnan(value)}
        points = list(known), list(known.values())
        axis.plot(*points, marker="o", markersize=2.5, linewidth=1.3, color=COLOURS[index], label=label)
    axis.set(title=title, xlabel="epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, and give its memory back."""
    figure.savefig(path, dpi=120)
    plt.close(figure)
