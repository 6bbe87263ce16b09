"""Of two trainings that are compared, one runs at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.training.turns import TurnTaker

REPOSITORY = Path(__file__).parents[3]
COUNTS = """
import sys, threading, time
from pathlib import Path
from bench.training.turns import give_turn
counted = 0
def count():
    global counted
    while True:
        counted += 1
        time.sleep(0.001)
threading.Thread(target=count, daemon=True).start()
for turn in range(2):
    give_turn()
    time.sleep(0.05)
    Path(sys.argv[1]).write_text(str(counted))
print("so many turns:", turn + 1)
"""


@pytest.fixture
def states() -> Callable[[], list[str]]:
    """What the kernel calls the states of this process's further children: T is stopped."""
    others = _children()
    return lambda: [
        Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in _children() - others
    ]


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def taker(script: str, folder: Path, name: str) -> TurnTaker:
    return TurnTaker([sys.executable, "-c", script, str(folder / name)], REPOSITORY, folder / f"{name}.errors")


def test_who_is_not_at_its_turn_stands_still_with_all_its_threads(
    tmp_path: Path, states: Callable[[], list[str]]
) -> None:
    with taker(COUNTS, tmp_path, "one") as one, taker(COUNTS, tmp_path, "other") as other:
        assert states() == ["T", "T"]
        one.take_turn()
        assert states() == ["T", "T"]
        assert (tmp_path / "one").exists()
        assert not (tmp_path / "other").exists()
        assert [each.result() for each in (one, other)] == ["so many turns: 2\n"] * 2
        assert states() == []


def test_a_training_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ended with status 1:\n(?s:.)*there is no such picture"):
        taker("raise SystemExit('there is no such picture')", tmp_path, "one")


def test_what_is_not_waited_for_is_ended(tmp_path: Path, states: Callable[[], list[str]]) -> None:
    with taker(COUNTS, tmp_path, "one"):
        assert states() == ["T"]
    assert states() == []
