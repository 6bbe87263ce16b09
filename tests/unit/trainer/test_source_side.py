"""Crops are made from squares that are larger than what comes out, but not larger than the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.imaging.augment import Augment
from modelyard_trainer.imaging.squares import largest_side


def picture(width: int, height: int, box: tuple[float, float] = (1, 1)) -> Picture:
    objects = Objects(np.zeros(1, np.int64), np.array([[0.5, 0.5, *box]], np.float32))
    return Picture("a.png", Path("a.png"), width, height, objects)


@pytest.mark.parametrize(
    ("crop_area", "largest", "side"),
    [
        pytest.param(1.0, 1000, 64, id="no crops"),
        pytest.param(0.25, 1000, 128, id="crops of half the side"),
        pytest.param(0.01, 1000, 128, id="twice is the most"),
        pytest.param(0.25, 90, 90, id="no larger than the pictures are"),
        pytest.param(0.25, 64, 64, id="pictures of just the size"),
        pytest.param(0.25, 20, 64, id="smaller pictures are enlarged once"),
    ],
)
def test_crops_are_made_from_what_the_pictures_have(crop_area: float, largest: int, side: int) -> None:
    assert Augment(0.5, 0, crop_area, 64).source_side(largest) == side


def test_the_largest_side_is_that_of_what_is_cut_out() -> None:
    assert largest_side([picture(100, 40), picture(30, 90)]) == 100
    assert largest_side([picture(1000, 400, (0.3, 0.5))]) == 300
