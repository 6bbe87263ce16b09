"""How many CPUs this process may use: what its cgroup grants, not what the machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs by quota and affinity, rounded up, at least one.

    A library that counts the machine's cores instead starts dozens of threads in a pod of two, and they wait for each
    other.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _quota_v2(cgroup) or _quota_v1(cgroup)
    return max(1, min(allowed, math.ceil(quota))) if quota else allowed


def _quota_v2(cgroup: Path) -> float | None:
    words = _read(cgroup / "cpu.max").split()
    return float(words[0]) / float(words[1]) if len(words) == 2 and words[0] != "max" else None


def _quota_v1(cgroup: Path) -> float | None:
    quota, period = _read(cgroup / "cpu" / "cpu.cfs_quota_us"), _read(cgroup / "cpu" / "cpu.cfs_period_us")
    return float(quota) / float(period) if quota and period and float(quota) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
