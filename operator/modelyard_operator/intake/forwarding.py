"""A standby hands reports on to the leader, whose address and authority stand in the Lease."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from modelyard_api.report import REPORT_PATH

from modelyard_operator.intake.certificates import client_context
from modelyard_operator.reconcile.leadership import ADDRESS, CERTIFICATE

_log = logging.getLogger(__name__)

FORWARDED = "X-Modelyard-Forwarded"
"""Set on what was forwarded once, so that it is never forwarded again."""


@dataclass(frozen=True)
class Answer:
    """What the leader answered."""

    status: int
    body: bytes


class Forwarder:
    """Sends a report to whoever leads.

    Args:
        leader: the annotations of the leader's Lease; empty where nobody leads.
        server_name: name that the leader's certificate carries; its address without it.
        timeout: seconds.
    """

    def __init__(self, leader: Callable[[], dict[str, str]], server_name: str | None, timeout: float = 5) -> None:
        self._leader = leader
        self._server_name = server_name
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._context: tuple[str, ssl.SSLContext] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, token: str, body: bytes) -> Answer | None:
        """The leader's answer, or None where nobody leads or the leader cannot be reached."""
        leader = self._leader()
        address, ca = leader.get(ADDRESS), leader.get(CERTIFICATE)
        if not address or not ca:
            return None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", FORWARDED: "1"}
        try:
            async with self._session.post(
                f"{address}{REPORT_PATH}",
                data=body,
                headers=headers,
                ssl=self._trusting(ca),
                server_hostname=self._server_name,
            ) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            _log.warning("the leader cannot be reached", extra={"leader": address, "error": str(error)})
            return None

    async def close(self) -> None:
        """Close the connections to the leader."""
        if self._session is not None:
            await self._session.close()

    def _trusting(self, ca: str) -> ssl.SSLContext:
        if self._context is None or self._context[0] != ca:
            self._context = (ca, client_context(ca))
        return self._context[1]
