"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
_LARGEST_MMAP_THRESHOLD = 32 << 20
"""Bytes; mallopt refuses more."""
_NEVER = 1 << 30


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have memory that is freed while the block runs kept for whoever asks next, and given back after it.

    A step frees hundreds of MiB and asks for as many again. glibc gives much of that back to the kernel, which fills it
    with zeros each time: on a CPU a sixth of a small network's epoch. Nothing is done where there is no glibc.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.malloc_trim(0)
