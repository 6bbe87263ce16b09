"""What a classifier's predictions are worth, compared with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.tasks.classification.learner import Examiner, class_weights
from modelyard_trainer.tasks.classification.scores import Scores
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support
from torch import nn


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    true = draw.integers(0, 9, 200)  # class 9 is neither there nor predicted
    predicted = np.where(draw.random(200) < 0.6, true, draw.integers(0, 7, 200))
    scores = Scores(confusion_matrix(true, predicted, labels=range(10)))
    assert scores.accuracy == pytest.approx(accuracy_score(true, predicted), abs=1e-6)
    assert scores.macro_f1 == pytest.approx(f1_score(true, predicted, average="macro"), abs=1e-6)
    per_class = scores.per_class([str(number) for number in range(10)])
    assert "9" not in per_class
    theirs = precision_recall_fscore_support(true, predicted, labels=range(9), zero_division=0)
    for number in range(9):
        ours = list(per_class[str(number)].values())
        assert ours == pytest.approx([column[number] for column in theirs], abs=1e-6)


def test_weights_of_rare_classes_are_inverse_to_their_number_and_one_on_average() -> None:
    labels = torch.tensor([0] * 6 + [2] * 2)
    weights = class_weights(labels, 3)
    assert weights[1] == 0
    assert weights[2] == pytest.approx(3 * weights[0].item())
    assert weights[labels].mean().item() == pytest.approx(1)


class Says(nn.Module):
    """Answers with the same classes whatever it is shown."""

    def __init__(self, answers: list[int], classes: int) -> None:
        super().__init__()
        self._logits = torch.eye(classes)[answers]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._logits[: len(images)]


def test_the_mean_angular_error_goes_the_short_way_round() -> None:
    angles = [359.0, 1.0, 100.5, 181.0]
    said = [0, 119, 33, 0]  # the bins of 0, 357, 99 and 0 degrees, whose middles are 1.5, 358.5, 100.5 and 1.5
    nothing = Objects.none()
    pictures = [
        Picture(str(angle), Path(), 8, 8, Objects(np.array([int(angle / 3)]), nothing.boxes), angle) for angle in angles
    ]
    squares = np.zeros((4, 8, 8, 3), np.uint8)
    examiner = Examiner(pictures, squares, classes=120, batch_size=4, workers=0, device=torch.device("cpu"))
    found = examiner.examine(Says(said, 120))
    assert found.mean_angular_error == pytest.approx((2.5 + 2.5 + 0 + 179.5) / 4)
    assert found.scores.accuracy == 0.25
    assert list(found.metrics()) == ["macroF1", "accuracy", "meanAngularError", "loss"]
