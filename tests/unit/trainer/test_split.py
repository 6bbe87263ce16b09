"""The validation split is decided by seed and names alone."""

from __future__ import annotations

import random

import pytest
from modelyard_api.outcome import Reason
from modelyard_trainer.dataset.split import split_by_seed
from modelyard_trainer.errors import RunError

NAMES = [f"images/{number:04d}.jpg" for number in range(1000)]


def test_the_split_is_the_same_on_every_machine() -> None:
    # Written down once: whatever changes these names changes what everybody's runs validate on.
    assert sorted(split_by_seed(NAMES[:20], 0.2, seed=42)) == [
        "images/0013.jpg",
        "images/0015.jpg",
        "images/0018.jpg",
        "images/0019.jpg",
    ]


def test_the_order_of_the_names_does_not_matter() -> None:
    shuffled = random.Random(1).sample(NAMES, len(NAMES))
    assert split_by_seed(shuffled, 0.2, seed=7) == split_by_seed(NAMES, 0.2, seed=7)


def test_another_seed_makes_another_split_of_the_same_size() -> None:
    one, other = split_by_seed(NAMES, 0.2, seed=1), split_by_seed(NAMES, 0.2, seed=2)
    assert len(one) == len(other) == 200
    assert 20 < len(one & other) < 60


def test_a_few_more_pictures_move_only_a_few() -> None:
    before = split_by_seed(NAMES, 0.2, seed=3)
    after = split_by_seed([*NAMES, *(f"images/new-{n}.jpg" for n in range(10))], 0.2, seed=3)
    assert len(before - after) <= 10


def test_a_name_means_the_same_in_either_unicode_form() -> None:
    composed = [f"images/caf\u00e9-{n}.jpg" for n in range(50)]
    decomposed = [name.replace("\u00e9", "e\u0301") for name in composed]
    chosen = split_by_seed(composed, 0.2, seed=5)
    assert {name.replace("e\u0301", "\u00e9") for name in split_by_seed(decomposed, 0.2, seed=5)} == chosen


@pytest.mark.parametrize(
    ("count", "share", "side"), [(1, 0.2, "validation"), (2, 0.1, "validation"), (3, 0.9, "training")]
)
def test_a_side_without_pictures_is_refused(count: int, share: float, side: str) -> None:
    with pytest.raises(RunError, match=f"leaves none for {side}") as refused:
        split_by_seed(NAMES[:count], share, seed=0)
    assert refused.value.reason is Reason.SPLIT_EMPTY
