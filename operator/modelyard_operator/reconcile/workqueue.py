"""A queue of keys: each at most once, each worked on by one worker at a time, and later again after a failure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


_FIRST_IN_A_ROW = 29


class WorkQueue(Generic[Key]):
    """The work queue of Kubernetes' own controllers, for one event loop.

    Keys that hurry go before others, 29 to one: nobody waits for ever behind them. All workers can be at work on them,
    and on others so many at once: else there would be none left for one that comes to hurry.
    It is closed at first, and takes nothing in while it is: whoever opens it adds all there is.
    A key that is added while it is worked on is handed out again after it; of several delays the shortest counts.

    Args:
        hurries: whether a key does; asked whenever it is put in line.
        others_at_once: keys that do not, and are worked on at the same time, at most.
        first_delay: seconds before the first retry of a key; doubled for each further one.
        longest_delay: seconds between retries at most.
    """

    def __init__(
        self,
        hurries: Callable[[Key], bool],
        others_at_once: int,
        *,
        first_delay: float = 0.05,
        longest_delay: float = 120,
    ) -> None:
        self._hurries = hurries
        self._others_at_once = others_at_once
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._first: deque[Key] = deque()
        self._ready: deque[Key] = deque()
        self._in_a_row = 0
        self._dirty: set[Key] = set()
        self._at_work: set[Key] = set()
        self._others_at_work: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._available, self._calm = asyncio.Event(), asyncio.Event()
        self._calm.set()
        self._open = False

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._first) + len(self._ready)

    def add(self, key: Key) -> None:
        """Have `key` worked on as soon as possible."""
        self._drop_timer(key)
        if not self._open:
            return
        if key in self._dirty:
            self._hurry(key)
            return
        self._dirty.add(key)
        if key not in self._at_work:
            self._hand_out(key)

    def add_after(self, key: Key, delay: float) -> None:
        """Have `key` worked on in `delay` seconds, or earlier where it was asked for."""
        if delay <= 0 or not self._open:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + delay:
            return
        self._drop_timer(key)
        self._timers[key] = loop.call_later(delay, self.add, key)

    def retry(self, key: Key, at_least: float = 0) -> float:
        """Have `key` worked on again after its back-off, or `at_least` seconds. Returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = max(at_least, min(self._longest_delay, self._first_delay * 2.0 ** min(failures, 30)))
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """End the back-off of `key`: it went well."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key. Call `done` with it afterwards, whatever happened."""
        while (key := self._next()) is None:
            self._available.clear()
            await self._available.wait()
        self._dirty.discard(key)
        self._at_work.add(key)
        return key

    async def calm(self) -> None:
        """Wait until no key that hurries waits for a worker."""
        await self._calm.wait()

    def done(self, key: Key) -> None:
        """Give `key` back."""
        self._at_work.discard(key)
        if key in self._others_at_work:
            self._others_at_work.discard(key)
            if self._ready:
                self._available.set()
        if key in self._dirty:
            self._hand_out(key)

    def open(self) -> None:
        """Take keys in from now on."""
        self._open = True

    def close(self) -> None:
        """Forget everything that waits, and take nothing in."""
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._failures.clear()
        self._first.clear()
        self._calm.set()
        self._ready.clear()
        self._dirty.clear()

    def _next(self) -> Key | None:
        another = bool(self._ready) and len(self._others_at_work) < self._others_at_once
        if self._first and (self._in_a_row < _FIRST_IN_A_ROW or not another):
            self._in_a_row += 1
            key = self._first.popleft()
            if not self._first:
                self._calm.set()
            return key
        if not another:
            return None
        self._in_a_row = 0
        key = self._ready.popleft()
        self._others_at_work.add(key)
        return key

    def _hand_out(self, key: Key) -> None:
        if self._hurries(key):
            self._first.append(key)
            self._calm.clear()
        else:
            self._ready.append(key)
        self._available.set()

    def _hurry(self, key: Key) -> None:
        """Have it go first if it waits behind others, and has come to hurry since."""
        if self._hurries(key) and key in self._ready:
            self._ready.remove(key)
            self._hand_out(key)

    def _drop_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
