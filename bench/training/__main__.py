"""`make bench-train`: each task beside the library that people would use instead.

Quality is compared over several seeds, at the epochs that make a good model, against a margin that was stated before.
Speed is compared in pairs that take turns, with as many threads on both sides: the ratio of the median epoch of each
pair, since a machine's speed drifts. Every training is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from modelyard_api.spec import Task
from modelyard_trainer.cpus import usable_cpus
from rich.console import Console
from rich.table import Table

from bench.training.one import LIBRARY, OURS
from bench.training.subjects import SUBJECTS, make_dataset

REPOSITORY = Path(__file__).parents[2]
Summary = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """One task beside its library.

    Attributes:
        quality: of each seed, our metric and the library's.
        margin: how far ours may be below, on average over the seeds.
        epoch_ratios: of each pair, our median epoch's seconds by the library's.
        first_batch: median seconds to the first batch, ours and the library's.
        pictures_per_second: median, ours and the library's.
    """

    task: str
    library: str
    metric: str
    margin: float
    quality: tuple[tuple[float, float], ...]
    epoch_ratios: tuple[float, ...]
    first_batch: tuple[float, float]
    pictures_per_second: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Within the margin or not; inconclusive where seeds differ by more than that among themselves."""
        gaps = [ours - theirs for ours, theirs in self.quality]
        mean, spread = sum(gaps) / len(gaps), max(gaps) - min(gaps)
        if mean >= -self.margin:
            return "holds"
        return "inconclusive" if spread / 2 > self.margin else "is missed"


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench-train", description=__doc__)
    parser.add_argument("--tasks", nargs="*", type=Task, default=list(SUBJECTS), help="only these tasks")
    parser.add_argument("--seeds", type=int, default=3, help="trainings whose metrics are compared")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of trainings that are timed")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench" / "results" / "training.json")
    asked = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        found = [_compare(task, Path(folder), asked.seeds, asked.pairs, console) for task in asked.tasks]
    console.print(_table(found))
    asked.output.write_text(json.dumps(_record(found), indent=2) + "\n")


def _compare(task: Task, folder: Path, seeds: int, pairs: int, console: Console) -> Comparison:
    subject, dataset = SUBJECTS[task], folder / task.value
    make_dataset(task, dataset)
    quality = []
    for seed in range(seeds):
        ours, theirs = (_train(task, side, dataset, seed, subject.epochs) for side in (OURS, LIBRARY))
        quality.append((float(ours["best"]), float(theirs["best"])))
        console.print(f"{task.value}, seed {seed}: {subject.metric} {ours['best']:.3f}, bare {theirs['best']:.3f}")
    timed: list[tuple[Summary, Summary]] = []
    for number in range(pairs):
        sides = (OURS, LIBRARY) if number % 2 == 0 else (LIBRARY, OURS)
        pair = {side: _train(task, side, dataset, 0, subject.timed_epochs) for side in sides}
        timed.append((pair[OURS], pair[LIBRARY]))
        console.print(
            f"{task.value}, pair {number + 1}: an epoch takes {_ratio(timed[-1]):.3f} of bare {subject.library}'s"
        )
    return Comparison(
        task.value,
        subject.library,
        subject.metric,
        subject.margin,
        tuple(quality),
        tuple(map(_ratio, timed)),
        _medians(timed, "secondsToFirstBatch"),
        _medians(timed, "picturesPerSecond"),
    )


def _train(task: Task, side: str, dataset: Path, seed: int, epochs: int) -> Summary:
    command = [sys.executable, "-m", "bench.training.one", task.value, side, "--dataset", str(dataset)]
    command += ["--seed", str(seed), "--epochs", str(epochs), "--threads", str(usable_cpus())]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-4000:]}")
    found: Summary = json.loads(done.stdout.splitlines()[-1])
    return found


def _ratio(pair: tuple[Summary, Summary]) -> float:
    ours, theirs = (median(each["epochSeconds"]) for each in pair)
    return float(ours / theirs)


def _medians(timed: Sequence[tuple[Summary, Summary]], name: str) -> tuple[float, float]:
    ours, theirs = (median(pair[side][name] for pair in timed) for side in (0, 1))
    return float(ours), float(theirs)


def _table(found: Sequence[Comparison]) -> Table:
    table = Table(title="Beside the bare library: ours / theirs", caption=_machine())
    for heading in ("task", "library", "metric over the seeds", "margin", "epoch: ratio", "first batch", "pictures/s"):
        table.add_column(heading)
    for each in found:
        ratios = sorted(each.epoch_ratios)
        table.add_row(
            each.task,
            each.library,
            f"{each.metric} " + ", ".join(f"{ours:.3f}/{theirs:.3f}" for ours, theirs in each.quality),
            f"{each.margin:g} {each.verdict}",
            f"{median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})" if ratios else "not measured",
            "{:.1f} s / {:.1f} s".format(*each.first_batch),
            "{:.0f} / {:.0f}".format(*each.pictures_per_second),
        )
    return table


def _record(found: Sequence[Comparison]) -> dict[str, object]:
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": _machine(),
        "comparisons": [asdict(each) | {"verdict": each.verdict} for each in found],
    }


def _machine() -> str:
    return f"{platform.machine()}, {usable_cpus()} CPU cores, no GPU"


if __name__ == "__main__":
    main()
