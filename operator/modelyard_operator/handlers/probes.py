"""What Kubernetes and Prometheus ask: /healthz, /readyz and /metrics on a plain port of their own."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from modelyard_operator.metrics import REGISTRY

Check = Callable[[], str | None]
"""None where all is well, else a sentence that says what is not."""


class ProbeServer:
    """Answers 200 or 503 with the sentence of the first check that fails.

    Args:
        healthy: what a restart would cure.
        ready: what keeps this replica from being of use; leading is no part of it.
        before_metrics: called before metrics are read out.
    """

    def __init__(
        self, address: str, port: int, *, healthy: Check, ready: Check, before_metrics: Callable[[], None]
    ) -> None:
        self._address, self._port = address, port
        self._healthy, self._ready = healthy, ready
        self._before_metrics = before_metrics
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/healthz", lambda _: _answer(self._healthy))
        app.router.add_get("/readyz", lambda _: _answer(self._ready))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self._port).start()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        self._before_metrics()
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


async def _answer(check: Check) -> web.Response:
    trouble = check()
    return web.Response(text="ok\n" if trouble is None else f"{trouble}\n", status=200 if trouble is None else 503)
