"""What came of one task beside its library, and how it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median, stdev
from typing import Any

_STUDENT = {2: 6.314, 3: 2.920, 4: 2.353, 5: 2.132, 6: 2.015, 7: 1.943, 8: 1.895, 9: 1.860, 10: 1.833}
"""Student's t for one side at 5 per cent, by how many gaps there are."""
Summary = Mapping[str, Any]
"""What one training showed; see `bench.training.measured`."""


@dataclass(frozen=True)
class Pair:
    """One training of ours and one of the library's, which took turns."""

    ours: Summary
    theirs: Summary
    others: float
    """CPU cores that other programs used meanwhile, on average."""

    def ratios(self, name: str) -> tuple[float, ...]:
        """Of each epoch of ours and the library's beside it: their seconds, or the seconds that they computed."""
        return tuple(ours / theirs for ours, theirs in zip(self.ours[name], self.theirs[name], strict=True))


@dataclass(frozen=True)
class Comparison:
    """One task beside its library.

    Attributes:
        margin: how far ours may be below on average, stated before measuring.
        epochs: of the trainings that quality is compared by.
        threads: of the CPU, on both sides.
        subset: most pictures of each side of the split; None for all.
        cached: whether ours kept decoded pictures between epochs, where the example does.
        quality: of each seed, our best metric and the library's.
        epoch_ratios: of each seed, of each pair of epochs, our seconds by the library's.
        computed_ratios: the same of the seconds that the processes computed, which other programs make little
            difference to.
        others: of each pair of trainings.
        first_batch: median seconds to the first batch, ours and the library's.
        pictures_per_second: median, ours and the library's.
        further: of each seed, what else published weights are judged by, ours and the library's, by its name. Told, and
            of no weight in the verdict.
    """

    task: str
    library: str
    metric: str
    margin: float
    epochs: int
    threads: int
    subset: int | None
    cached: bool
    quality: tuple[tuple[float, float], ...]
    epoch_ratios: tuple[tuple[float, ...], ...]
    computed_ratios: tuple[tuple[float, ...], ...]
    others: tuple[float, ...]
    first_batch: tuple[float, float]
    pictures_per_second: tuple[float, float]
    further: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Whether ours is not worse by more than the margin: a one-sided t-test of the gaps, each way at 5 per cent."""
        gaps = [ours - theirs for ours, theirs in self.quality]
        if len(gaps) < 2:
            return "not measured"
        doubt = _STUDENT[len(gaps)] * stdev(gaps) / math.sqrt(len(gaps))
        if mean(gaps) - doubt >= -self.margin:
            return "holds"
        return "is missed" if mean(gaps) + doubt < -self.margin else "inconclusive"

    @property
    def newest(self) -> str:
        """What the last pair of trainings showed, for whoever waits."""
        metric = "{:.3f}, bare {:.3f}".format(*self.quality[-1]) if self.quality else "not compared"
        seconds, computed = of_epochs(self.epoch_ratios), of_epochs(self.computed_ratios)
        return (
            f"{self.task}, seed {len(self.others) - 1}: {self.metric} {metric}; an epoch so far takes {seconds} of the "
            f"bare one's seconds, {computed} of its computing; others used {self.others[-1]:.1f} cores"
        )

    @property
    def row(self) -> tuple[str, ...]:
        """For the table."""
        return (
            self.task,
            self.library,
            "; ".join(
                f"{name} " + ", ".join(f"{ours:.3f}/{theirs:.3f}" for ours, theirs in values)
                for name, values in {self.metric: self.quality, **self.further}.items()
            ),
            f"{self.margin:g} {self.verdict}",
            of_epochs(self.epoch_ratios),
            of_epochs(self.computed_ratios),
            f"{median(self.others):.1f}" if self.others else "",
            "{:.1f} s / {:.1f} s".format(*self.first_batch),
            "{:.0f} / {:.0f}".format(*self.pictures_per_second),
        )


HEADINGS = (
    "task",
    "library",
    "metric over the seeds",
    "margin",
    "epoch: ratio",
    "computed: ratio",
    "others' cores",
    "first batch",
    "pictures/s",
)


def of_seeds(pairs: Sequence[Pair], name: str) -> tuple[tuple[float, float], ...]:
    """A metric that published weights were judged by."""
    return tuple((float(each.ours["judged"][name]), float(each.theirs["judged"][name])) for each in pairs)


def medians(pairs: Sequence[Pair], name: str) -> tuple[float, float]:
    """Of a number that both sides show."""
    return float(median(each.ours[name] for each in pairs)), float(median(each.theirs[name] for each in pairs))


def of_epochs(ratios: Sequence[Sequence[float]]) -> str:
    """The median of all epochs, and the least and the most of the seeds' medians.

    Epochs of one training are no measurements of their own: what slows one of them mostly slows its neighbours.
    """
    seeds = [median(each) for each in ratios]
    if not seeds:
        return "not measured"
    return f"{median(ratio for each in ratios for ratio in each):.3f} ({min(seeds):.3f} to {max(seeds):.3f})"
