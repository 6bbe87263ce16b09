"""How long a file takes for one picture."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from modelyard_trainer.exports.subject import Images, Runner
from modelyard_trainer.tasks.base import Latency

_WARM_UP, _RUNS, _SECONDS = 3, 50, 3.0


def measure(
    run: Runner, image: Images, threads: int, device: str = "cpu", clock: Callable[[], float] = time.perf_counter
) -> Latency:
    """The median of up to 50 runs with one picture, fewer where they take more than three seconds together.

    Args:
        run: what is measured.
        image: (1, 3, height, width).
        threads: that it runs with, for the record.
        device: that it runs on, for the record.
        clock: seconds.
    """
    for _ in range(_WARM_UP):
        run(image)
    taken: list[float] = []
    began = clock()
    while len(taken) < _RUNS and (not taken or clock() - began < _SECONDS):
        start = clock()
        run(image)
        taken.append(clock() - start)
    return Latency(milliseconds=1000 * statistics.median(taken), runs=len(taken), threads=threads, device=device)
