"""What `make bench-train` says of a task beside its library."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.training.comparison import Comparison, Pair, of_seeds
from bench.training.measured import Stopwatch


def compared(*quality: tuple[float, float], ratios: tuple[tuple[float, ...], ...] = ((1.0,),)) -> Comparison:
    return Comparison(
        task="reid",
        library="torchreid",
        metric="mAP",
        margin=0.05,
        epochs=10,
        threads=1,
        subset=None,
        cached=True,
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


@pytest.mark.parametrize(
    ("ratios", "told"),
    [
        ((), "not measured"),
        (((1.03, 0.98, 1.01),), "1.010 (1.010 to 1.010)"),
        (((1.0, 1.1, 1.2), (0.9, 0.9, 0.9)), "0.950 (0.900 to 1.100)"),
    ],
)
def test_a_ratio_is_told_with_the_least_and_the_most_of_the_seeds(
    ratios: tuple[tuple[float, ...], ...], told: str
) -> None:
    assert told in compared(ratios=ratios).row


def test_a_pair_compares_the_epochs_that_were_beside_each_other() -> None:
    pair = Pair({"epochSeconds": [9.0, 2.2]}, {"epochSeconds": [3.0, 2.0]}, others=0.0)
    assert pair.ratios("epochSeconds") == pytest.approx((3.0, 1.1))


def test_published_weights_are_told_by_every_metric_that_they_were_judged_by() -> None:
    pairs = [Pair({"judged": {"mAP50-95": 0.25}}, {"judged": {"mAP50-95": 0.5}}, others=0.0)] * 2
    further = {"mAP50-95": of_seeds(pairs, "mAP50-95")}
    assert "mAP 0.500/0.400; mAP50-95 0.250/0.500, 0.250/0.500" in replace(compared((0.5, 0.4)), further=further).row


def test_a_training_is_worth_what_its_published_weights_were_judged_and_its_best_epoch_without() -> None:
    watch = Stopwatch("mAP50", pictures=8)
    watch.batch_done()
    for value in (0.5, 0.9, 0.7):
        watch.epoch_done({"mAP50": value})
    assert watch.summary()["best"] == 0.9
    watch.judged = {"mAP50": 0.8, "mAP50-95": 0.4}
    assert watch.summary()["best"] == 0.8
