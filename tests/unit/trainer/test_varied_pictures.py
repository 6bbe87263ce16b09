"""What is done to training pictures, seen on the pictures: nothing in here passes if they stay as they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from modelyard_api.pictures import PictureAugment
from modelyard_api.reid import ReidAugment
from modelyard_trainer.imaging.augment import augmentation
from modelyard_trainer.loop.drawing import pictures_drawn
from modelyard_trainer.tasks.reid.augment import Variation
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
HEIGHT, WIDTH, SIDE = 64, 32, 48
MEAN = (124, 116, 104)
DRAWS = 40


def noise(height: int, width: int) -> Pixels:
    """Without the mean colour, and no row or column like another."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    pixels[(pixels == MEAN).all(-1)] = 0
    return pixels


def varied(vary: Callable[[Image.Image], Image.Image], pixels: Pixels) -> Iterator[Pixels]:
    """Many variations of one picture."""
    places = [(0, position) for position in range(DRAWS)]
    yield from pictures_drawn(3, places, lambda _epoch, _position: np.asarray(vary(Image.fromarray(pixels))))


def of_a_person(**asked: Any) -> Variation:
    """A variation that does what is asked for, and nothing else."""
    return Variation(ReidAugment(**{"random_flip": 0, "random_crop": 0, **asked}))


def of_a_square(**asked: Any) -> Callable[[Image.Image], Image.Image]:
    """The same, of the tasks that look at squares."""
    return augmentation(PictureAugment(**{"horizontal_flip": 0, **asked}), SIDE)


PERSON, SQUARE = noise(HEIGHT, WIDTH), noise(SIDE, SIDE)


# Re-identification


def test_a_person_is_left_alone_where_nothing_is_asked_for() -> None:
    assert all(np.array_equal(found, PERSON) for found in varied(of_a_person(), PERSON))


def test_a_person_is_mirrored_left_and_right() -> None:
    assert all(np.array_equal(found, PERSON[:, ::-1]) for found in varied(of_a_person(random_flip=1), PERSON))
    mirrored = sum(np.array_equal(found, PERSON[:, ::-1]) for found in varied(of_a_person(random_flip=0.5), PERSON))
    assert DRAWS / 4 < mirrored < 3 * DRAWS / 4


def test_a_person_who_is_moved_stays_as_large_and_is_elsewhere_each_time() -> None:
    # Of a slope from left to right and one from top to bottom, the corner of what was cut out says where it was.
    slopes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    slopes[..., 0], slopes[..., 1] = np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT)[:, None]
    found = list(varied(of_a_person(random_crop=1), slopes))
    assert {each.shape for each in found} == {(HEIGHT, WIDTH, 3)}
    spans = np.array([np.ptp(each[..., :2].astype(int), axis=(0, 1)) for each in found])
    assert (np.abs(spans - 255 / 1.125) < 16).all(), "eight ninths of either side"
    corners = {tuple(each[0, 0, :2].tolist()) for each in found}
    assert len(corners) > DRAWS / 4
    assert np.ptp([corner[0] for corner in corners]) > 16


def test_a_person_without_colours_has_the_grey_that_pillow_makes() -> None:
    grey = np.asarray(Image.fromarray(PERSON).convert("L"))
    for found in varied(of_a_person(random_gray_scale=1), PERSON):
        assert np.array_equal(found, np.repeat(grey[..., None], 3, -1))


def test_colours_of_a_person_are_jittered_as_much_as_asked() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    found = [each[0, 0, 0] for each in varied(of_a_person(color_jitter={"brightness": 0.2}), flat)]
    assert all(79 <= each <= 121 for each in found)
    assert min(found) < 90
    assert max(found) > 110


def test_what_is_erased_of_a_person_is_one_rectangle_of_the_mean_colour() -> None:
    shares = []
    for found in varied(of_a_person(random_erase=1), PERSON):
        covered = (found == MEAN).all(-1)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        height, width = len(rows), len(columns)
        assert covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert np.array_equal(found[~covered], PERSON[~covered])
        # A pixel of each side goes or comes by rounding.
        assert 0.02 * covered.size <= (height + 0.5) * (width + 0.5)
        assert (height - 0.5) * (width - 0.5) <= 0.4 * covered.size
        shares.append(covered.mean())
    assert max(shares) > 4 * min(shares)


# Classification and face identification


def test_a_square_is_left_alone_where_nothing_is_asked_for() -> None:
    assert all(np.array_equal(found, SQUARE) for found in varied(of_a_square(), SQUARE))


@pytest.mark.parametrize(
    ("asked", "mirrored"),
    [
        ({"horizontal_flip": 1}, SQUARE[:, ::-1]),
        ({"vertical_flip": 1}, SQUARE[::-1]),
        ({"horizontal_flip": 1, "vertical_flip": 1}, SQUARE[::-1, ::-1]),
    ],
)
def test_a_square_is_mirrored_as_asked(asked: dict[str, float], mirrored: Pixels) -> None:
    assert all(np.array_equal(found, mirrored) for found in varied(of_a_square(**asked), SQUARE))


def test_a_crop_keeps_as_much_of_a_square_as_asked_and_has_the_size_that_was_asked_for() -> None:
    slopes = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    slopes[..., 0] = np.linspace(0, 255, 2 * SIDE)
    slopes[..., 1] = slopes[..., 0].T
    shares = []
    for found in varied(of_a_square(crop_area=0.25), slopes):
        assert found.shape == (SIDE, SIDE, 3)
        width, height = np.ptp(found[..., :2].astype(int), axis=(0, 1)) / 255
        shares.append(width * height)
        assert 3 / 4 - 0.1 < width / height < 4 / 3 + 0.1
    assert 0.22 < min(shares) < 0.4
    assert max(shares) > 0.7


def test_rand_augment_changes_a_square_and_keeps_its_size() -> None:
    found = list(varied(of_a_square(rand_augment={"magnitude": 9, "operations": 2}), SQUARE))
    assert {each.shape for each in found} == {(SIDE, SIDE, 3)}
    changed = [each for each in found if not np.array_equal(each, SQUARE)]
    assert len(changed) > DRAWS / 2, "timm does each operation half of the time"
    assert len({each.tobytes() for each in changed}) > 0.8 * len(changed)


def test_one_place_always_gives_the_same_variation() -> None:
    asked = {"horizontal_flip": 0.5, "vertical_flip": 0.5, "crop_area": 0.5, "rand_augment": {}}
    random.seed(1)
    first = [each.tobytes() for each in varied(of_a_square(**asked), SQUARE)]
    random.seed(2)
    assert first == [each.tobytes() for each in varied(of_a_square(**asked), SQUARE)]
    assert len(set(first)) == DRAWS
