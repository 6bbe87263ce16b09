"""How many connections the intake keeps, and how long it waits for one to say something.

Whoever reaches the port can open connections, before any token is seen: each costs memory and a file descriptor.
Those that have not agreed on TLS yet are not seen here; the server gives them up after ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from modelyard_operator.metrics import CONNECTIONS, CONNECTIONS_REFUSED


class Connections:
    """Counts them, in all and by address.

    Args:
        most: at once; beyond them a new one is broken off.
        most_of_one: at once of one address, which behind some networks is a node with all its pods.
        first_request: seconds within which the first request has to have come.
    """

    def __init__(self, most: int = 1000, most_of_one: int = 100, first_request: float = 15) -> None:
        self._most, self._most_of_one = most, most_of_one
        self.first_request = first_request
        self._silent: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._address: dict[asyncio.BaseTransport, str] = {}

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._address)

    def guarded(self, protocol: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols like `protocol`, none of which sees a connection that is too many."""
        return lambda: _Guarded(protocol(), self)

    def heard(self, transport: asyncio.BaseTransport | None) -> None:
        """A whole request's head came in."""
        timer = self._silent.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def admit(self, transport: asyncio.Transport) -> bool:
        """Whether there is room for one more; counted if so, until it is `gone`."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if self.open >= self._most or list(self._address.values()).count(address) >= self._most_of_one:
            CONNECTIONS_REFUSED.inc()
            return False
        self._address[transport] = address
        CONNECTIONS.set(self.open)
        loop = asyncio.get_running_loop()
        self._silent[transport] = loop.call_later(self.first_request, transport.abort)
        return True

    def gone(self, transport: asyncio.Transport) -> None:
        """An admitted connection has ended."""
        self.heard(transport)
        del self._address[transport]
        CONNECTIONS.set(self.open)


class _Guarded(asyncio.Protocol):
    """Hands on all that is told of a connection, if it was admitted."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of asyncio's.
        stream = cast("asyncio.Transport", transport)
        if not self._connections.admit(stream):
            stream.abort()
            return
        self._transport = stream
        self._inner.connection_made(stream)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.gone(self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
