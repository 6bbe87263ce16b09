"""What other programs of this computer do meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

_STAT = Path("/proc/stat")
_IDLE = {3, 4}
"""Of the numbers behind `cpu`: idle, and waiting for a disk."""
_COUNTED = 8
"""Guests' time is in the others already."""


class Others:
    """Measures from when it is made, less what ended processes of this one have used."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy(), _own()

    def cores(self) -> float:
        """That were used by others on average."""
        seconds = time.monotonic() - self._began
        return max(0.0, (_busy() - self._busy - (_own() - self._own)) / seconds)


def _busy() -> float:
    """Seconds that all cores have computed since the start."""
    ticks = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    used = sum(int(each) for place, each in enumerate(ticks[:_COUNTED]) if place not in _IDLE)
    return used / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
