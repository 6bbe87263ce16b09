"""Two trainings that take turns, an epoch each, so that what slows the machine slows both.

A machine's speed drifts: whole trainings, one behind the other, differ by a quarter with the same program. Epochs that
follow one another are seconds apart. Whichever is not at its turn is stopped, with all its threads and processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from modelyard_cluster.daemons import DIES_WITH_US

_OVER = "this turn is over"


def give_turn() -> None:
    """In a training: let the other have its turn, and wait for the next one of ours.

    Raises:
        SystemExit: whoever gives the turns is gone.
    """
    sys.stdout.write(f"\n{_OVER}\n")  # libraries may leave a line unfinished
    sys.stdout.flush()
    if not sys.stdin.readline():
        raise SystemExit("nobody gives turns any more")


class TurnTaker:
    """A training's process, which runs only when told to."""

    def __init__(self, command: Sequence[str], folder: Path, errors: Path) -> None:
        """Begin it, as far as its first `give_turn`.

        Args:
            command: the program and its arguments.
            folder: that it runs in.
            errors: file that its standard error goes to.
        """
        self._command, self._errors = command, errors
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [*DIES_WITH_US, *command],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # stopped with the processes that load its pictures
            )
        self._last_line = ""
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        """It is running already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is left, nor of the processes that it has begun."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError), self._process:
            pass

    def take_turn(self) -> None:
        """Let it run until it gives the turn away or ends.

        Raises:
            SystemExit: it ended otherwise than well; with what it said last.
        """
        with suppress(ProcessLookupError, BrokenPipeError):  # it has ended: `_wait` says how
            os.killpg(self._process.pid, signal.SIGCONT)
            _pipe(self._process.stdin).write("\n")
            _pipe(self._process.stdin).flush()
        self._wait()

    def result(self) -> str:
        """Let it run to its end.

        Returns:
            the last line that it wrote.

        Raises:
            SystemExit: as `take_turn`.
        """
        while self._process.poll() is None:
            self.take_turn()
        return self._last_line

    def _wait(self) -> None:
        for line in _pipe(self._process.stdout):
            if line.rstrip() == _OVER:
                os.killpg(self._process.pid, signal.SIGSTOP)
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
                return
            self._last_line = line if line.strip() else self._last_line
        if status := self._process.wait():
            said = self._errors.read_text()[-4000:]
            raise SystemExit(f"{' '.join(self._command)} ended with status {status}:\n{said}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # noqa: S101 - each was asked for
    return pipe
