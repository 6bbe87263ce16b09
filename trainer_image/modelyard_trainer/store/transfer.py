"""Many transfers at once, with one number for how far they are, and one switch to stop them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from modelyard_trainer.store.s3 import THREADS

Item = TypeVar("Item")
Result = TypeVar("Result")

_STOP_SECONDS = 5.0


class TransferStoppedError(Exception):
    """Another transfer of the same batch failed, or the process was told to stop."""


class Counter:
    """Bytes transferred, of how many, told as a phrase. Safe to use from several threads.

    Every transfer calls `add` as it goes, so that is where one is stopped: boto3 then removes the parts of an upload.
    """

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self._total, self._tell = total, tell
        self._done = self._told = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, size: int) -> None:
        """So many bytes more.

        Raises:
            TransferStoppedError: no more should come.
        """
        if self._stopped.is_set():
            raise TransferStoppedError
        with self._lock:
            self._done += size
            tell = self._done - self._told >= self._total / 200 or self._done >= self._total
            if tell:
                self._told = self._done
            done = self._done
        if tell:
            self._tell(f"{_size(done)} of {_size(self._total)}")

    def stop(self) -> None:
        """End every transfer at its next byte."""
        self._stopped.set()


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], counter: Counter) -> list[Result]:
    """The results of `work` in the order of `items`. The first error stops the rest."""
    pool = ThreadPoolExecutor(THREADS)
    futures = [pool.submit(work, item) for item in items]
    try:
        ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future in ended:
                future.result()
        return [future.result() for future in futures]
    except BaseException:
        counter.stop()
        for future in futures:
            future.cancel()
        # Long enough to remove what was begun; a thread that waits for a store which is away must not hold the process.
        wait(futures, timeout=_STOP_SECONDS)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
