"""What one training shows, and a watch to take it with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Stopwatch:
    """Takes down when things happen.

    Attributes:
        metric: name of what epochs are compared by; higher is better.
        pictures: of the training split.
        began: when the training was asked for.
        first_batch: when the first batch was trained on.
        ends: when each epoch was trained and validated.
        worked: seconds that this process had computed by then, on all its threads.
        values: the metric after each.
        judged: metrics of the published weights, where one function judges both sides when the training is over.
    """

    metric: str
    pictures: int
    began: float = field(default_factory=time.monotonic)
    first_batch: float | None = None
    ends: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    judged: Mapping[str, float] = field(default_factory=dict)

    def batch_done(self) -> None:
        """A batch is trained on."""
        if self.first_batch is None:
            self.first_batch = time.monotonic()

    def epoch_done(self, metrics: Mapping[str, float]) -> None:
        """An epoch is trained and validated."""
        self.ends.append(time.monotonic())
        self.worked.append(time.process_time())
        self.values.append(float(metrics[self.metric]))

    def summary(self) -> dict[str, object]:
        """For JSON. Epochs last from the end of the one before; the first, which fills caches, is left out.

        Raises:
            ValueError: there were less than two epochs.
        """
        seconds, computed = ([after - before for before, after in pairwise(each)] for each in (self.ends, self.worked))
        if not seconds or self.first_batch is None:
            raise ValueError("a training of two epochs at least is needed")
        return {
            "metric": self.metric,
            "best": self.judged.get(self.metric, max(self.values)),
            "values": self.values,
            "judged": dict(self.judged),
            "secondsToFirstBatch": self.first_batch - self.began,
            "epochSeconds": seconds,
            "epochComputed": computed,
            "picturesPerSecond": self.pictures * len(seconds) / sum(seconds),
            "seconds": self.ends[-1] - self.began,
        }
