"""One training in a process of its own; prints what it showed as JSON on the last line.

python -m bench.training.one detection modelyard --dataset FOLDER --seed 0 --epochs 3 --threads 2
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from modelyard_api.spec import Task

from bench.training import ours
from bench.training.measured import Stopwatch
from bench.training.subjects import SUBJECTS, bare, checked
from bench.training.turns import give_turn

OURS, LIBRARY = "modelyard", "library"


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Task)
    parser.add_argument("side", choices=(OURS, LIBRARY))
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--subset", type=int, help="most pictures of each side of the split")
    parser.add_argument("--no-cache", action="store_true", help="ours decodes pictures in each epoch, too")
    parser.add_argument("--in-turn", action="store_true", help="with another one, which is told on standard output")
    asked = parser.parse_args()
    # Ours takes as many threads as there are CPUs; a library as many as it is told.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.threads])
    subject = SUBJECTS[asked.task]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        scratch = Path(folder)
        document = subject.document(
            asked.dataset,
            scratch / "results",
            seed=asked.seed,
            epochs=asked.epochs,
            subset=asked.subset,
            cached=not asked.no_cache,
        )
        data = checked(document, scratch, asked.threads)
        watch = Stopwatch(subject.metric, len(data.training))
        if asked.in_turn:
            give_turn()
            watch = Stopwatch(subject.metric, len(data.training), give_turn)
        if asked.side == OURS:
            ours.train(document, watch, scratch / "run", subject.judged)
        else:
            bare(asked.task)(document, data, watch, scratch, asked.threads)
        sys.stdout.write(json.dumps(watch.summary()) + "\n")


if __name__ == "__main__":
    main()
