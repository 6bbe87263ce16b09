"""How far an exported re-identification network is from PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from modelyard_trainer.tasks.reid.export import TrainedReidentifier

_PICTURES = np.zeros((2, 3, 4, 2), np.float32)


def difference(one: list[list[float]], other: list[list[float]]) -> float:
    subject = TrainedReidentifier.__new__(TrainedReidentifier)
    return subject.difference(np.asarray(one, np.float32), np.asarray(other, np.float32), _PICTURES)


def test_it_is_a_share_of_the_mean_length() -> None:
    assert difference([[3, 0], [0, 1]], [[3, 0], [0, 1.5]]) == pytest.approx(0.5 / 2.25)


def test_an_embedding_of_no_length_is_as_far_as_it_is() -> None:
    """OSNet ends with a ReLU, which may let nothing through: two networks that agreed in that were told apart."""
    assert difference([[0, 0], [0, 4]], [[0, 0], [0, 4]]) == 0
    assert difference([[0, 0], [0, 0]], [[0, 0], [0, 0]]) == 0
