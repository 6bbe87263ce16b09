"""What one training shows, and a watch to take it with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _alone() -> None:
    """There is nobody to take turns with."""


@dataclass(frozen=True)
class _Moment:
    """A time of day, and the seconds that this process had computed by then, on all its threads."""

    clock: float = field(default_factory=time.monotonic)
    worked: float = field(default_factory=time.process_time)


@dataclass
class Stopwatch:
    """Takes down when things happen.

    Attributes:
        metric: name of what epochs are compared by; higher is better.
        pictures: of the training split.
        give_turn: called behind each epoch; another's epoch may pass before it returns.
        began: when the training was asked for.
        first_batch: when the first batch was trained on.
        begins: when each epoch could begin.
        ends: when each was trained and validated.
        values: the metric after each.
        judged: metrics of the published weights, where one function judges both sides when the training is over.
    """

    metric: str
    pictures: int
    give_turn: Callable[[], None] = _alone
    began: float = field(default_factory=time.monotonic)
    first_batch: float | None = None
    begins: list[_Moment] = field(default_factory=lambda: [_Moment()])
    ends: list[_Moment] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    judged: Mapping[str, float] = field(default_factory=dict)

    def batch_done(self) -> None:
        """A batch is trained on."""
        if self.first_batch is None:
            self.first_batch = time.monotonic()

    def epoch_done(self, metrics: Mapping[str, float]) -> None:
        """An epoch is trained and validated."""
        self.ends.append(_Moment())
        self.values.append(float(metrics[self.metric]))
        self.give_turn()
        self.begins.append(_Moment())

    def summary(self) -> dict[str, object]:
        """For JSON. Epochs last from behind the one before; the first, which fills caches, is left out.

        Raises:
            ValueError: there were less than two epochs.
        """
        epochs = list(zip(self.begins, self.ends, strict=False))[1:]
        seconds = [end.clock - begin.clock for begin, end in epochs]
        if not seconds or self.first_batch is None:
            raise ValueError("a training of two epochs at least is needed")
        return {
            "metric": self.metric,
            "best": self.judged.get(self.metric, max(self.values)),
            "values": self.values,
            "judged": dict(self.judged),
            "secondsToFirstBatch": self.first_batch - self.began,
            "epochSeconds": seconds,
            "epochComputed": [end.worked - begin.worked for begin, end in epochs],
            "picturesPerSecond": self.pictures * len(seconds) / sum(seconds),
        }
