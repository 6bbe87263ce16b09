"""Many transfers at once, with one number for how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from modelyard_trainer.store.s3 import THREADS

Item = TypeVar("Item")
Result = TypeVar("Result")


class Counter:
    """Bytes transferred, of how many, told as a phrase. Safe to use from several threads."""

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self._total, self._tell = total, tell
        self._done = self._told = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """So many bytes more."""
        with self._lock:
            self._done += size
            tell = self._done - self._told >= self._total / 200 or self._done >= self._total
            if tell:
                self._told = self._done
            done = self._done
        if tell:
            self._tell(f"{_size(done)} of {_size(self._total)}")


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results of `work` in the order of `items`. After the first error nothing new is begun."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
