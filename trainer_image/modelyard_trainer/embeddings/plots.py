"""Pictures of how well embeddings tell individuals apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from modelyard_trainer.embeddings.verification import Roc
from modelyard_trainer.tasks.plots import COLOURS, save

_BINS = 60


def draw_roc(roc: Roc, path: Path) -> None:
    """The share of pairs of one individual that is accepted, over that of pairs of two."""
    least = 1 / roc.impostor
    figure, axis = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
    axis.plot(np.maximum(roc.far, least), roc.tar, drawstyle="steps-post", color=COLOURS[0], linewidth=1.5)
    chance = np.geomspace(least, 1)
    axis.plot(chance, chance, linestyle=":", color=COLOURS[7], label="chance")
    axis.plot(roc.eer, 1 - roc.eer, "o", color=COLOURS[1], label=f"equal error rate {roc.eer:.3f}")
    axis.set(xscale="log", xlim=(least, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda rate, _place: f"{rate:g}"))  # powers of ten are formulas
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_title(f"{roc.genuine} pairs of one individual, {roc.impostor} of two", fontsize=9)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    save(figure, path)


def draw_similarities(similarities: NDArray[np.float32], same: NDArray[np.bool_], path: Path) -> None:
    """How similar pairs of one individual are, and pairs of two."""
    figure, axis = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    bins = np.linspace(min(0.0, float(similarities.min())), 1, _BINS).tolist()
    for chosen, label, colour in ((same, "of one individual", COLOURS[0]), (~same, "of two", COLOURS[1])):
        axis.hist(similarities[chosen], bins, density=True, alpha=0.6, color=colour, label=label)
    axis.set(xlabel="cosine of the embeddings", ylabel="density of pairs")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save(figure, path)
