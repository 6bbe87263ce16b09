"""What `tests/chaos` sees of a namespace."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from modelyard_cluster.bare import BareControlPlane, BareOptions

from tests.chaos.witness import Witness


def test_it_is_not_asked_in_a_thread_while_its_watches_go_on(tmp_path: Path) -> None:
    """One run among a thousand ended on a dictionary that grew while a thread went through it."""
    witness = Witness(BareControlPlane(tmp_path, BareOptions()), "vision")

    async def ask() -> None:
        assert witness.children_ever("digits") == []
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(witness.children_ever, "digits")

    asyncio.run(ask())


async def test_it_goes_on_where_the_api_server_has_cut_it_off() -> None:
    """Twenty-five runs of a hundred failed when it was too slow, on a machine with other work, for the API server."""

    async def one_event_a_watch(request: web.Request) -> web.Response:
        version = int(request.query.get("resourceVersion", 6)) + 1
        if version == 9:
            await asyncio.Event().wait()
        metadata: dict[str, Any] = {"name": f"digits-{version}", "uid": str(version), "resourceVersion": str(version)}
        return web.Response(body=json.dumps({"type": "ADDED", "object": {"metadata": metadata}}) + "\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", one_event_a_watch)
    async with TestServer(app) as server:
        plane = SimpleNamespace(
            url=str(server.make_url("")).rstrip("/"), admin_token="", api=SimpleNamespace(_context=False)
        )
        async with Witness(cast("BareControlPlane", plane), "vision") as witness:
            await witness.until(lambda: witness.run("digits-8"), "the second watch has told")
            assert witness.run("digits-7")
