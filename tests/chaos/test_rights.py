"""The operator uses every right that the chart grants it, and needs no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.chaos.conftest import OpenLane
from tests.chaos.faults import Refuse, Write
from tests.chaos.lane import Lane
from tests.chaos.lives import EVICTED, LIVES, SMOOTH
from tests.chaos.rights import Right, granted
from tests.integration.operator_process import rights

CONFLICTS = {SMOOTH.name: "POST jobs", EVICTED.name: "PATCH trainingruns/status"}
"""After these the operator reads what it conflicted with."""
FOR_EVERY_SERVICE_ACCOUNT = ("/api", "/apis", "/version", "/.well-known/openid-configuration", "/openid/v1/jwks")
"""What the cluster roles system:discovery and system:service-account-issuer-discovery of every cluster allow."""


@pytest.mark.parametrize("everywhere", [False, True], ids=["one namespace", "the whole cluster"])
async def test_every_right_is_used_and_none_is_missing(open_lane: OpenLane, *, everywhere: bool) -> None:
    async with open_lane(everywhere=everywhere) as lane:
        chart = rights(lane.view.namespace, everywhere=everywhere)
        grants = granted(one for one in chart if one["kind"] in ("Role", "ClusterRole"))
        await live_all(lane)
        await as_long_as_it_takes(lambda: not unused(grants, lane), lane)
        seen = lane.proxy.rights
        assert unused(grants, lane) == []
        assert seen.refused == []
        assert [right for right in sorted(seen.used) if not any(each.covers(right) for each in grants)] == []
        assert {path for path in seen.elsewhere if not path.startswith(FOR_EVERY_SERVICE_ACCOUNT)} == set()


async def live_all(lane: Lane) -> None:
    """Every life there is, two of them with a conflict."""
    await lane.begin_operator()
    async with asyncio.TaskGroup() as together:
        for life in LIVES:
            run = f"{life.name}-1"
            conflict = [Refuse(Write(run, CONFLICTS[life.name], 1), 409, "Conflict")] if life.name in CONFLICTS else []
            together.create_task(lane.live(run, life, *conflict))


async def as_long_as_it_takes(is_so: Callable[[], bool], lane: Lane, seconds: float = 30) -> None:
    """Wait for what comes after the lives: Jobs are told when to expire."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not is_so() and loop.time() < deadline:
        await lane.witness.change(0.5)


def unused(grants: set[Right], lane: Lane) -> list[Right]:
    """Rights that were granted in vain, so far."""
    return sorted(each for each in grants if not any(each.covers(used) for used in lane.proxy.rights.used))
