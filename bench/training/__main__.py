"""`make bench-train`: each task beside the library that people would use instead.

Quality is compared over several seeds, at the epochs that make a good model, against a margin that was stated before.
Speed is compared epoch by epoch, with as many threads on both sides: the two trainings of a seed take turns, since a
machine's speed drifts from one training to the next by more than what is to be measured. Every training is a process of
its own. What is known is kept after each seed, and what was measured of other tasks; what is for times alone is not,
unless a file is named for it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
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
from bench.training.turns import TurnTaker

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "bench" / "results" / "training.json"


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench-train", description=__doc__)
    parser.add_argument("--tasks", nargs="*", type=Task, default=list(SUBJECTS), help="only these tasks")
    parser.add_argument(
        "--seeds", type=int, default=3, choices=range(1, 11), metavar="1..10", help="pairs of trainings"
    )
    parser.add_argument("--epochs", type=int, help="of each training (2 or more), for times alone")
    parser.add_argument("--no-cache", action="store_true", help="ours decodes pictures in each epoch, as theirs does")
    parser.add_argument("--threads", type=int, default=usable_cpus(), help="CPU cores that each training may use")
    parser.add_argument("--subset", type=int, help="most pictures of each side of a split, for times alone")
    parser.add_argument("--output", type=Path, help="JSON file of the results")
    asked = parser.parse_args()
    if asked.epochs is not None and asked.epochs < 2:
        parser.error("--epochs: the first one, which fills caches, is left out; must be 2 or more")
    whole = not (asked.epochs or asked.no_cache or asked.subset)
    output = asked.output or (RESULTS if whole else None)
    console = Console(width=160)
    found: dict[Task, Comparison] = {}
    with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        for task in asked.tasks:
            dataset = Path(folder) / task.value
            make_dataset(task, dataset)
            trainings = _Trainings(task, dataset, asked.threads, asked.subset, not asked.no_cache)
            for each in _compare(trainings, asked.seeds, asked.epochs):
                console.print(each.newest)
                found[task] = each
                if output:
                    _keep(each, output)
    console.print(_table(list(found.values())))


@dataclass(frozen=True)
class _Trainings:
    """Of one task, on one data set."""

    task: Task
    dataset: Path
    threads: int
    subset: int | None
    cached: bool

    def pair(self, sides: Sequence[str], seed: int, epochs: int) -> Pair:
        """One of each side, which take turns in this order: a, b, b, a, a, b, b, and so on."""
        others = Others()
        with ExitStack() as both:
            folder = Path(both.enter_context(tempfile.TemporaryDirectory(prefix="bench-errors-")))
            trainings = {
                side: both.enter_context(TurnTaker(self._command(side, seed, epochs), REPOSITORY, folder / side))
                for side in sides
            }
            for epoch in range(epochs):
                for side in sides if epoch % 2 == 0 else reversed(sides):
                    trainings[side].take_turn()
            found: dict[str, Summary] = {side: json.loads(trainings[side].result()) for side in sides}
        return Pair(found[OURS], found[LIBRARY], others.cores())

    def _command(self, side: str, seed: int, epochs: int) -> Sequence[str]:
        command = [sys.executable, "-m", "bench.training.one", self.task.value, side, "--dataset", str(self.dataset)]
        command += ["--seed", str(seed), "--epochs", str(epochs), "--threads", str(self.threads)]
        command += ["--subset", str(self.subset)] if self.subset else []
        return [*command, "--in-turn", *([] if self.cached else ["--no-cache"])]


def _compare(trainings: _Trainings, seeds: int, epochs: int | None) -> Iterator[Comparison]:
    """What is known after each seed."""
    subject = SUBJECTS[trainings.task]
    pairs: list[Pair] = []
    for seed in range(seeds):
        sides = (OURS, LIBRARY) if seed % 2 == 0 else (LIBRARY, OURS)
        pairs.append(trainings.pair(sides, seed, epochs or subject.epochs))
        compared = [] if epochs else pairs
        yield Comparison(
            task=trainings.task.value,
            library=subject.library,
            metric=subject.metric,
            margin=subject.margin,
            epochs=epochs or subject.epochs,
            threads=trainings.threads,
            subset=trainings.subset,
            cached=trainings.cached,
            quality=tuple((float(each.ours["best"]), float(each.theirs["best"])) for each in compared),
            epoch_ratios=tuple(each.ratios("epochSeconds") for each in pairs),
            computed_ratios=tuple(each.ratios("epochComputed") for each in pairs),
            others=tuple(each.others for each in pairs),
            first_batch=medians(pairs, "secondsToFirstBatch"),
            pictures_per_second=medians(pairs, "picturesPerSecond"),
            further={name: of_seeds(compared, name) for name in subject.judged if name != subject.metric},
        )


def _table(found: Sequence[Comparison]) -> Table:
    table = Table(
        title="Beside the bare library: ours / theirs",
        caption=f"{_machine()}; on a GPU: not measured. All examples but detection's keep decoded pictures in memory "
        "(training.cache), and the libraries decode them in each epoch: --no-cache shows what that makes.",
    )
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
