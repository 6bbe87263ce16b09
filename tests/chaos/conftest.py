"""Lanes on the real API server, and the lives without faults that all others are compared with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kwok import BY_HAND

from tests.api.conftest import served
from tests.chaos.lane import Lane, lane
from tests.chaos.lives import LIVES
from tests.chaos.recording import Recording, record
from tests.conftest import namespace_of_its_own

__all__ = ["served"]

OpenLane = Callable[..., AbstractAsyncContextManager[Lane]]


@pytest.fixture(scope="session")
def open_lane(served: BareControlPlane, tmp_path_factory: pytest.TempPathFactory) -> OpenLane:
    """Opens a lane in a namespace of its own (`everywhere=True`: for all); its operator is yet to be started."""
    folder: Path = tmp_path_factory.mktemp("lanes")

    @asynccontextmanager
    async def opened(*, everywhere: bool = False) -> AsyncIterator[Lane]:
        with ExitStack() as stack:
            namespace = await asyncio.to_thread(stack.enter_context, namespace_of_its_own(served, BY_HAND))
            async with lane(served, namespace, folder, everywhere=everywhere) as found:
                yield found

    return opened


@pytest.fixture(scope="session")
def recordings(open_lane: OpenLane) -> dict[str, Recording]:
    """Every life as it is without faults."""

    async def recorded() -> dict[str, Recording]:
        async with open_lane() as found:
            return await record(found, LIVES)

    return asyncio.run(recorded())
