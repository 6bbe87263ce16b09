"""What a person sees while a long command works: one line a step, with how far it is and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(sentence: str) -> None:
    """Print one line at once, whoever reads it."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def fail(sentence: str) -> SystemExit:
    """The end of a command that cannot go on, as the one sentence that says why: `raise fail(...)`."""
    sys.stderr.write(f"modelyard: {sentence}\n")
    return SystemExit(1)


class Steps:
    """A numbered list of steps: `with steps("Building kind"):` prints `[3/9] Building kind ... 41 s`."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._begun = time.monotonic()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Announce a step, and tell how long it took once it is done."""
        self._done += 1
        start = time.monotonic()
        say(f"[{self._done}/{self._total}] {what} ...")
        yield
        now = time.monotonic()
        say(f"[{self._done}/{self._total}] {what}: done in {now - start:.0f} s ({now - self._begun:.0f} s in all)")
