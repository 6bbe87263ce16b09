"""A token bucket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class TokenBucket:
    """Lets `rate` things a second pass, and up to `burst` at once after a pause."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Take a token if there is one."""
        if self._refill() < 1:
            return False
        self._tokens -= 1
        return True

    async def wait(self) -> None:
        """Take a token, and wait until it is there: callers are let through in the order in which they came."""
        missing = 1 - self._refill()
        self._tokens -= 1
        if missing > 0:
            await asyncio.sleep(missing / self._rate)

    def _refill(self) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens
