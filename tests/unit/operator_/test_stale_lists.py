"""A list of pods that is older than the end of a Job: what the trainer said is not in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from modelyard_operator.kube.access import Access
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import NotFoundError, StaleListError

from tests.unit.operator_.cluster import Cluster
from tests.unit.operator_.world import World, a_run

ENDED = "Container trainer for pod vision/x failed with exit code 10 matching FailJob rule at index 0"


class Lagging(Cluster):
    """Its lists are older than whatever they are not to be older than.

    Attributes:
        asked: what that was, each time.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.asked: list[str | None] = []

    async def list(
        self, path: str, selector: str | None = None, not_before: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(not_before)
        if not_before is not None:
            raise StaleListError(f"{path} is old")
        async for each in super().list(path, selector):
            yield each

    async def merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The Job has expired."""
        raise NotFoundError(404, "NotFound", f"{path} {body}")


async def test_it_is_asked_for_again_for_two_minutes_and_then_believed() -> None:
    world = a_run().begun().pod_running().looked_at().pod_gone().job_ends("Failed", "PodFailurePolicy", ENDED)
    cluster, now = Lagging(world), [0.0]
    cluster.cache.store_job(replace(world.jobs[1], resource_version="9"))
    looks = cluster.reconciler(lambda: now[0])
    for now[0] in (0.0, 60.0, 120.0):
        assert await looks.reconcile(world.run.key) == 1.0
    assert (cluster.asked, cluster.statuses) == (["9", "9", "9"], [])
    now[0] = 120.1
    await looks.reconcile(world.run.key)
    assert cluster.asked[3:] == [None]
    assert cluster.statuses[-1].attempts[0].exit_code == 10


@pytest.mark.parametrize(("version", "sound"), [("8", False), ("9", True), ("10", True)])
async def test_a_list_says_as_of_when_it_is(version: str, sound: bool) -> None:
    async def pods(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": version}, "items": [{"kind": "Pod"}]})

    app = web.Application()
    app.router.add_get("/pods", pods)
    async with TestServer(app) as server, KubeClient(Access(str(server.make_url("")).rstrip("/"))) as client:
        if not sound:
            with pytest.raises(StaleListError, match="/pods is listed as of 8, which is before 9"):
                _ = [each async for each in client.list("/pods", not_before="9")]
        else:
            assert [each async for each in client.list("/pods", not_before="9")] == [{"kind": "Pod"}]
        assert [each async for each in client.list("/pods")] == [{"kind": "Pod"}]
