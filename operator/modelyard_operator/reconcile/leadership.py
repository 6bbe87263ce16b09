"""Leading: holding the Lease, stopping in time where it cannot be renewed, taking over where another stops."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from modelyard_operator.kube.errors import ApiError, ConflictError
from modelyard_operator.kube.lease import Lease, LeaseRecord
from modelyard_operator.metrics import LEADER

_log = logging.getLogger(__name__)

ADDRESS = "modelyard.dev/intake-address"
CERTIFICATE = "modelyard.dev/intake-ca"


@dataclass(frozen=True)
class Timing:
    """Seconds. A leader that could not renew for `give_up` stops, well before others may take over after `duration`."""

    duration: int
    give_up: float
    renew: float
    look: float

    @staticmethod
    def of(duration: int) -> Timing:
        """Timing in proportion to the seconds after which a silent leader is replaced."""
        return Timing(duration, give_up=0.7 * duration, renew=0.15 * duration, look=0.1 * duration)


class Led(Protocol):
    """What works only while this replica leads."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End: nothing is written after this returns."""


class Leadership:
    """Whether this replica leads, and who else does.

    Args:
        lease: the Lease.
        identity: name of this replica.
        annotations: what others need to forward reports to it, as it is now.
        timing: how long everything takes.
    """

    def __init__(
        self,
        lease: Lease,
        identity: str,
        annotations: Callable[[], dict[str, str]],
        timing: Timing,
    ) -> None:
        self._lease = lease
        self._identity = identity
        self._annotations = annotations
        self._timing = timing
        self._led: Led | None = None
        self._record: LeaseRecord | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._leads = False
        self._starting: asyncio.Task[None] | None = None
        self.tried_at: float | None = None
        """When the loop last came round, by the monotonic clock; None before the first time."""
        self.looked_at: float | None = None
        """When the Lease was last read or written with success, likewise."""

    def lead(self, led: Led) -> None:
        """Name what is to work while this replica leads."""
        self._led = led

    def leads(self) -> bool:
        """Whether this replica may write: it holds the Lease, and has renewed it in time."""
        return self._leads and time.monotonic() < self._renewed_at + self._timing.give_up

    def leader(self) -> dict[str, str]:
        """The annotations of the current leader's Lease; empty where nobody leads."""
        record = self._record
        if record is None or not record.holder or time.monotonic() > self._seen_at + record.seconds:
            return {}
        return record.annotations

    async def keep(self) -> None:
        """Hold the Lease or wait for it, for ever."""
        while True:
            self.tried_at = time.monotonic()
            if self._starting is not None and self._starting.done():
                # A leader that could not begin to work must let others lead: this loop ends, and the Lease with it.
                self._starting.result()
            try:
                await self._step()
                self.looked_at = time.monotonic()
            except ConflictError:
                _log.debug("another replica was faster")
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                _log.warning("the Lease is out of reach", extra={"error": str(error)})
            if self._leads and not self.leads():
                await self._step_down("the Lease could not be renewed in time")
            pause = self._timing.renew if self._leads else self._timing.look * random.uniform(0.8, 1.2)  # noqa: S311
            await asyncio.sleep(pause)

    async def let_go(self) -> None:
        """Stop leading, so that a standby takes over at once."""
        if self._leads:
            await self._step_down("this replica ends")
        # The loop may have ended in the middle of a write whose answer it never heard, so the Lease is read again;
        # and that write may still be on its way, which only one more look tells.
        for _ in range(2):
            try:
                found = await self._lease.read()
                if found is not None and found.holder == self._identity:
                    await self._lease.release(found)
            except ConflictError:
                continue
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                _log.warning("the Lease was not let go", extra={"error": str(error)})
            return

    async def _step(self) -> None:
        if self._leads:
            await self._renew()
            return
        found = await self._lease.read()
        if found is None or found != self._record:
            self._record, self._seen_at = found, time.monotonic()
        mine = found is not None and found.holder == self._identity
        if found is not None and found.holder and not mine and time.monotonic() <= self._seen_at + found.seconds:
            return
        began = time.monotonic()
        self._record = await self._lease.hold(found, self._identity, self._timing.duration, self._annotations())
        self._seen_at = self._renewed_at = began
        await self._step_up()

    async def _renew(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timing.give_up):
                self._record = await self._lease.hold(
                    self._record, self._identity, self._timing.duration, self._annotations()
                )
        except ConflictError:
            found = await self._lease.read()
            if found is None or found.holder == self._identity:
                self._record = found
                return
            self._record, self._seen_at = found, time.monotonic()
            await self._step_down(f"{found.holder} holds the Lease")
            return
        self._seen_at = self._renewed_at = began

    async def _step_up(self) -> None:
        self._leads = True
        LEADER.set(1)
        _log.info("this replica leads", extra={"identity": self._identity})
        # Beside this loop: a long first list must not keep the Lease from being renewed.
        self._starting = asyncio.create_task(self._begin(), name="start-leading")

    async def _begin(self) -> None:
        if self._led is not None:
            await self._led.start()

    async def _step_down(self, why: str) -> None:
        self._leads = False
        LEADER.set(0)
        _log.info("this replica leads no longer", extra={"why": why})
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            self._starting = None
        if self._led is not None:
            await self._led.stop()
