"""Of two trainings that are compared, one runs at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.training.turns import TurnTaker

REPOSITORY = Path(__file__).parents[3]
COUNTS = """
import os, sys, time
from bench.training.turns import give_turn
def count(path):
    counted = 0
    while True:
        counted += 1
        open(path, "a").write(".")
        time.sleep(0.002)
open(sys.argv[1], "w").close()
child = os.fork()
if not child:
    count(sys.argv[1])
for turn in range(2):
    give_turn()
    time.sleep(0.05)
os.kill(0 if "dies" in sys.argv[1] else child, 9)
print("so many turns:", turn + 1, end="")
"""


@pytest.fixture
def states() -> Callable[[], list[str]]:
    """What the kernel calls the states of this process's further children: T is stopped."""
    others = _children()
    return lambda: [_state(Path(f"/proc/{child}")) for child in _children() - others]


def _state(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def _lives(process: Path) -> bool:
    try:
        return _state(process) != "Z"  # dead, and nobody is there who buries it
    except (FileNotFoundError, ProcessLookupError):
        return False


def taker(script: str, folder: Path, name: str) -> TurnTaker:
    return TurnTaker([sys.executable, "-c", script, str(folder / name)], REPOSITORY, folder / f"{name}.errors")


def test_who_is_not_at_its_turn_stands_still_with_the_processes_that_it_has_begun(
    tmp_path: Path, states: Callable[[], list[str]]
) -> None:
    with taker(COUNTS, tmp_path, "one") as one, taker(COUNTS, tmp_path, "other") as other:
        assert states() == ["T", "T"]
        counted = (tmp_path / "other").stat().st_size
        one.take_turn()
        one_counted = (tmp_path / "one").stat().st_size
        time.sleep(0.05)
        assert ((tmp_path / "one").stat().st_size, (tmp_path / "other").stat().st_size) == (one_counted, counted)
        assert one_counted > 1
        other.take_turn()
        assert one.result() == "so many turns: 2"
    counted = (tmp_path / "other").stat().st_size
    time.sleep(0.05)
    assert (tmp_path / "other").stat().st_size == counted
    assert states() == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_is_stopped_ends_with_whoever_gives_the_turns(tmp_path: Path, signum: signal.Signals) -> None:
    gives = f"""
import sys, time
from pathlib import Path
from bench.training.turns import TurnTaker
training = "from bench.training.turns import give_turn; give_turn()"
with TurnTaker([sys.executable, "-c", training], Path("."), Path({str(tmp_path / "errors")!r})) as taker:
    print(taker._process.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", gives], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as giver:
        assert giver.stdout is not None
        training = Path("/proc") / giver.stdout.readline().strip()
        assert training.is_dir()
        giver.send_signal(signum)
    deadline = time.monotonic() + 10
    while _lives(training):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_training_that_is_killed_is_told(tmp_path: Path) -> None:
    with taker(COUNTS, tmp_path, "dies") as dying, pytest.raises(SystemExit, match="ended with status -9"):
        dying.result()


def test_who_gets_no_more_turns_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from bench.training.turns import give_turn; give_turn(); print('on it goes')"]
    done = subprocess.run(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "on it goes" in done.stdout) == (1, False)


def test_a_training_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ended with status 1:\n(?s:.)*there is no such picture"):
        taker("raise SystemExit('there is no such picture')", tmp_path, "one")


def test_what_is_not_waited_for_is_ended(tmp_path: Path, states: Callable[[], list[str]]) -> None:
    with taker(COUNTS, tmp_path, "one"):
        assert states() == ["T"]
    assert states() == []
