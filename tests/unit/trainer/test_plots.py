"""Plots must not end a run that is trained: whatever the classes are called, they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from modelyard_trainer.tasks.detection import plots
from modelyard_trainer.tasks.plots import draw_confusion

NAMES = ("$\\frac$", "a$b$", "_hidden", "<b>")


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    draw_confusion(np.eye(4), NAMES, tmp_path / "confusion.png")
    plots.draw_precision_recall(np.linspace(0, 1, 5), np.ones((4, 5)), np.ones(4), NAMES, tmp_path / "pr.png")
    assert (tmp_path / "confusion.png").stat().st_size and (tmp_path / "pr.png").stat().st_size
