"""`kubectl port-forward` lasts, however many connections go through it and however often it gives up."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from modelyard_cluster.port_forward import forwarding
from modelyard_cluster.shell import CommandFailed

_MORE_THAN_A_PIPE_HOLDS = 1 << 20


def test_more_lines_than_a_pipe_holds_stop_nothing(tmp_path: Path) -> None:
    """After some 2,200 connections kubectl hung at the line that it writes for each: a whole test stage stood still."""
    written = tmp_path / "written"
    script = (
        f"print('listening'); print('x' * {_MORE_THAN_A_PIPE_HOLDS}, flush=True); "
        f"open({str(written)!r}, 'w').close(); import time; time.sleep(600)"
    )

    with forwarding([sys.executable, "-c", script]):
        _wait_for(written)


def test_it_is_started_again_when_it_gives_up(tmp_path: Path) -> None:
    """The first ends at once after it listened, the second goes on."""
    first, second = tmp_path / "first", tmp_path / "second"
    script = (
        "import pathlib, time; print('listening', flush=True); "
        f"first, second = pathlib.Path({str(first)!r}), pathlib.Path({str(second)!r}); "
        "again = first.exists(); (second if again else first).touch(); time.sleep(600 if again else 0.1)"
    )

    with forwarding([sys.executable, "-c", script]):
        _wait_for(second)


def test_one_that_never_listens_is_told_of() -> None:
    """What is wrong is said at once, not at the first connection."""
    with pytest.raises(CommandFailed, match="is the pod behind it running"), forwarding([sys.executable, "-c", ""]):
        pass


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
