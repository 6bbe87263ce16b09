"""Memory that was freed, kept and given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

ROUNDS, PAGES = 50, 20 * 256
PROGRAM = f"""
import resource
from contextlib import nullcontext
from pathlib import Path
import sys

import numpy as np
from modelyard_trainer.allocator import freed_memory_kept

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

with freed_memory_kept() if sys.argv[1] == "kept" else nullcontext():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({ROUNDS}):
        step = [np.ones({PAGES} * 4096 // 4, np.uint8) for _ in range(4)]
        del step
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    within = resident()
print(faults, within - resident())
"""


def outcome(how: str) -> tuple[int, int]:
    """Pages that the kernel filled with zeros, and pages that it got back at the end."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    faults, given_back = ran.stdout.split()
    return int(faults), int(given_back)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_what_a_step_frees_is_there_for_the_next_and_given_back_at_the_end() -> None:
    faults, given_back = outcome("kept")
    assert faults < 3 * PAGES
    assert given_back > PAGES / 2
    assert outcome("as it comes")[0] > 10 * PAGES
