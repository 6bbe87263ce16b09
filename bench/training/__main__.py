"""`make bench-train`: each task beside the library that people would use instead.

Quality is compared over several seeds, at the epochs that make a good model, against a margin that was stated before.
Speed is compared in pairs that take turns, with as many threads on both sides: the ratio of the median epoch of each
pair, since a machine's speed drifts. The trainings of the seeds are pairs as well; shorter ones make up the rest.
Every training is a process of its own. What is known is kept after each pair, and what was measured of other tasks.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard_api.spec import Task
from modelyard_trainer.cpus import usable_cpus
from rich.console import Console
from rich.table import Table

from bench.training.comparison import HEADINGS, Comparison, Pair, Summary, medians, of_seeds
from bench.training.one import LIBRARY, OURS
from bench.training.others import Others
from bench.training.subjects import SUBJECTS, make_dataset

REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench-train", description=__doc__)
    parser.add_argument("--tasks", nargs="*", type=Task, default=list(SUBJECTS), help="only these tasks")
    parser.add_argument(
        "--seeds", type=int, default=3, choices=range(11), metavar="0..10", help="trainings whose metrics are compared"
    )
    parser.add_argument("--pairs", type=int, default=5, help="pairs of trainings that are timed")
    parser.add_argument("--threads", type=int, default=usable_cpus(), help="CPU cores that each training may use")
    parser.add_argument("--subset", type=int, help="most pictures of each side of a split, for times alone")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench" / "results" / "training.json")
    asked = parser.parse_args()
    console = Console(width=160)
    found: dict[Task, Comparison] = {}
    with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        for task in asked.tasks:
            dataset = Path(folder) / task.value
            make_dataset(task, dataset)
            for each in _compare(_Trainings(task, dataset, asked.threads, asked.subset), asked.seeds, asked.pairs):
                console.print(each.newest)
                found[task] = each
                _keep(each, asked.output)
    console.print(_table(list(found.values())))


@dataclass(frozen=True)
class _Trainings:
    """Of one task, on one data set."""

    task: Task
    dataset: Path
    threads: int
    subset: int | None

    def pair(self, sides: Sequence[str], seed: int, epochs: int) -> Pair:
        """One of each side, in this order."""
        others = Others()
        found = {side: self._train(side, seed, epochs) for side in sides}
        return Pair(found[OURS], found[LIBRARY], others.cores())

    def _train(self, side: str, seed: int, epochs: int) -> Summary:
        command = [sys.executable, "-m", "bench.training.one", self.task.value, side, "--dataset", str(self.dataset)]
        command += ["--seed", str(seed), "--epochs", str(epochs), "--threads", str(self.threads)]
        command += ["--subset", str(self.subset)] if self.subset else []
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-4000:]}")
        found: Summary = json.loads(done.stdout.splitlines()[-1])
        return found


def _compare(trainings: _Trainings, seeds: int, pairs: int) -> Iterator[Comparison]:
    """What is known after each pair."""
    subject = SUBJECTS[trainings.task]
    timed: list[Pair] = []
    for number in range(max(seeds, pairs)):
        seed, epochs = (number, subject.epochs) if number < seeds else (0, subject.timed_epochs)
        timed.append(trainings.pair((OURS, LIBRARY) if number % 2 == 0 else (LIBRARY, OURS), seed, epochs))
        yield Comparison(
            task=trainings.task.value,
            library=subject.library,
            metric=subject.metric,
            margin=subject.margin,
            epochs=subject.epochs,
            threads=trainings.threads,
            subset=trainings.subset,
            quality=tuple((float(each.ours["best"]), float(each.theirs["best"])) for each in timed[:seeds]),
            epoch_ratios=tuple(each.ratio for each in timed[:pairs]),
            computed_ratios=tuple(each.computed for each in timed[:pairs]),
            others=tuple(each.others for each in timed[:pairs]),
            first_batch=medians(timed, "secondsToFirstBatch"),
            pictures_per_second=medians(timed, "picturesPerSecond"),
            further={name: of_seeds(timed[:seeds], name) for name in subject.judged if name != subject.metric},
        )


def _table(found: Sequence[Comparison]) -> Table:
    table = Table(title="Beside the bare library: ours / theirs", caption=f"{_machine()}; on a GPU: not measured")
    for heading in HEADINGS:
        table.add_column(heading)
    for each in found:
        table.add_row(*each.row)
    return table


def _keep(found: Comparison, path: Path) -> None:
    """Put it in the place of what was measured of this task before."""
    told = {"measured": datetime.now(UTC).date().isoformat(), "machine": _machine()}
    kept: list[dict[str, Any]] = json.loads(path.read_text())["comparisons"] if path.exists() else []
    rows = {each["task"]: each for each in kept} | {found.task: told | asdict(found) | {"verdict": found.verdict}}
    order = [task.value for task in SUBJECTS]
    comparisons = sorted(rows.values(), key=lambda each: order.index(each["task"]))
    path.write_text(json.dumps({"gpu": "not measured", "comparisons": comparisons}, indent=2) + "\n")


def _machine() -> str:
    return f"{platform.machine()}, {usable_cpus()} CPU cores, no GPU"


if __name__ == "__main__":
    main()
