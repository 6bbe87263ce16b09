"""What `make bench-train` says of a task beside its library."""

from __future__ import annotations

import pytest

from bench.training.comparison import Comparison, Pair


def compared(*quality: tuple[float, float], ratios: tuple[float, ...] = (1.0,)) -> Comparison:
    return Comparison(
        task="reid",
        library="torchreid",
        metric="mAP",
        margin=0.05,
        epochs=10,
        threads=1,
        subset=None,
        quality=quality,
        epoch_ratios=ratios,
        computed_ratios=ratios,
        others=(0.0,) * len(ratios),
        first_batch=(1.0, 2.0),
        pictures_per_second=(10.0, 9.0),
    )


@pytest.mark.parametrize(
    ("quality", "verdict"),
    [
        (((0.50, 0.51), (0.52, 0.52), (0.51, 0.53)), "holds"),
        (((0.90, 0.51), (0.52, 0.12), (0.91, 0.53)), "holds"),
        (((0.30, 0.51), (0.32, 0.52), (0.31, 0.53)), "is missed"),
        (((0.50, 0.60), (0.60, 0.50), (0.50, 0.50)), "inconclusive"),
        (((0.40, 0.50), (0.45, 0.50), (0.50, 0.50)), "inconclusive"),
        (((0.50, 0.50),), "not measured"),
        ((), "not measured"),
    ],
)
def test_the_verdict_knows_how_much_seeds_differ(quality: tuple[tuple[float, float], ...], verdict: str) -> None:
    assert compared(*quality).verdict == verdict


def test_a_ratio_is_told_with_its_least_and_its_most() -> None:
    assert "1.010 (0.980 to 1.030)" in compared(ratios=(1.03, 0.98, 1.01)).row
    assert "not measured" in compared(ratios=()).row


def test_a_pair_compares_median_epochs() -> None:
    ours = {"epochSeconds": [9.0, 2.0, 2.2], "epochComputed": [1.0, 1.1, 1.2]}
    theirs = {"epochSeconds": [2.0], "epochComputed": [1.0]}
    pair = Pair(ours, theirs, others=0.0)
    assert (pair.ratio, pair.computed) == pytest.approx((1.1, 1.1))
