"""Plots must not end a run that is trained: whatever the classes are called, they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from modelyard_trainer.embeddings import plots as embedding_plots
from modelyard_trainer.embeddings.verification import Roc
from modelyard_trainer.tasks.detection import plots
from modelyard_trainer.tasks.plots import draw_confusion

NAMES = ("$\\frac$", "a$b$", "_hidden", "<b>")


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    draw_confusion(np.eye(4), NAMES, tmp_path / "confusion.png")
    plots.draw_precision_recall(np.linspace(0, 1, 5), np.ones((4, 5)), np.ones(4), NAMES, tmp_path / "pr.png")
    assert (tmp_path / "confusion.png").stat().st_size and (tmp_path / "pr.png").stat().st_size


def test_the_rates_of_a_curve_are_numbers_and_no_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(embedding_plots, "save", lambda figure, _path: kept.append(figure))
    similarities = np.linspace(1, -1, 2000, dtype=np.float32)
    embedding_plots.draw_roc(Roc.of(similarities, similarities > 0.9), tmp_path / "roc.png")
    kept[0].draw_without_rendering()
    told = {label.get_text() for label in kept[0].axes[0].get_xticklabels()}
    assert {"0.01", "0.1", "1"} <= told
