"""What a machine must have before anything starts, and the one sentence that says what it lacks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from .cache import cache_folder
from .console import fail
from .engine import running
from .node_image import PROGRAMS_INSIDE
from .tools import out_of_date, require_go

BESIDE_A_CLUSTER = ("kind", "kubectl", "helm", "versitygw")
OLDEST_PYTHON = (3, 11)
# The Go caches grow to 20 GB while programs are built, and are removed after; the images and a cluster then take 12 GB.
DISK_GB_COLD = 30
DISK_GB_WARM = 12
MEMORY_GB = 8


def check(programs: Sequence[str] = (*BESIDE_A_CLUSTER, *PROGRAMS_INSIDE)) -> None:
    """Go on if this machine can make a cluster with those programs; else end with a sentence that says what is missing.

    Raises:
        SystemExit: something is lacking.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise fail(f"Python {_dotted(OLDEST_PYTHON)} or newer is needed; this is {_dotted(sys.version_info[:2])}.")
    if os.geteuid() != 0:
        raise fail("Root is needed, to start containers and their network: run this again with sudo.")
    if running() is None and shutil.which("apt-get") is None:
        raise fail("Neither does a Docker engine answer, nor is this a Debian whose packages could make one.")
    missing = out_of_date(programs)
    if missing:
        require_go()
    _require_disk(DISK_GB_COLD if missing else DISK_GB_WARM)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if memory < MEMORY_GB:
        raise fail(f"{MEMORY_GB} GB of memory are needed; this machine has {memory:.1f} GB.")


def _require_disk(needed: int) -> None:
    folder = cache_folder()
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise fail(
            f"{needed} GB of disk are needed below {folder}, and {free:.0f} GB are free: "
            "make room, or name another folder in MODELYARD_CACHE."
        )


def _dotted(version: Sequence[object]) -> str:
    return ".".join(map(str, version))
