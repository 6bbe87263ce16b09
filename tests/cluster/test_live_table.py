"""What a person sees of a run that reports every few seconds."""

from __future__ import annotations

import sys

import pytest
from modelyard_cluster.live_table import chunks, live_table

HEADER = "NAME     PHASE      EPOCH   PROGRESS   TRY   AGE\n"
LINES = [
    HEADER,
    "digits   Starting   0/10    0%         1     0s\n",
    "digits   Running    0/10    3%         1     9s\n",
    "digits   Running    0/10    8%         1     14s\n",
    "digits   Running    1/10    10%        1     20s\n",
]


def test_a_log_has_a_row_for_every_phase_and_epoch() -> None:
    text = "".join(chunks(LINES, terminal=False))
    assert text == "".join([HEADER, LINES[1], LINES[2], LINES[4]])


def test_who_reads_a_log_by_lines_has_each_row_as_soon_as_it_is_known() -> None:
    lines = iter(LINES)
    shown = chunks(lines, terminal=False)
    assert [next(shown), next(shown)] == LINES[:2]
    assert list(lines) == LINES[2:]


def test_a_terminal_renews_the_last_row() -> None:
    assert list(chunks(LINES, terminal=True))[3] == "\rdigits   Running    0/10    8%         1     14s\x1b[K"


def test_a_new_attempt_has_a_row_of_its_own() -> None:
    retried = LINES[2].replace("1     9s", "2     9s")
    assert "".join(chunks([HEADER, LINES[2], retried], terminal=False)).count("\n") == 3


def test_the_last_row_is_shown_even_where_somebody_else_hears_of_the_end_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = "import time; print('NAME PHASE'); time.sleep(0.5); print('digits Complete', flush=True); time.sleep(60)"
    with live_table([sys.executable, "-u", "-c", late], last=("Complete", "Failed")):
        pass
    assert "digits Complete" in capsys.readouterr().out
