"""Files in the repository that are made from the models: writing them, and checking that they are up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

Render = Callable[[], str]


def stale(files: Mapping[Path, Render]) -> list[Path]:
    """The files that differ from what the models make, or are not there."""
    return [file for file, render in files.items() if not file.exists() or file.read_text() != render()]


def generate(parser: argparse.ArgumentParser, files: Mapping[Path, Render]) -> int:
    """Run the command line of a generator of `files`; the exit code is 1 if `--check` finds one out of date."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    if len(files) == 1:
        parser.add_argument("--output", type=Path, help="write there instead; - is the standard output")
    arguments = parser.parse_args()
    if arguments.check:
        for file in stale(files):
            sys.stderr.write(f"{file} is out of date: run {parser.prog}\n")
        return 1 if stale(files) else 0
    for file, render in files.items():
        target = getattr(arguments, "output", None) or file
        if str(target) == "-":
            sys.stdout.write(render())
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(render())
    return 0
