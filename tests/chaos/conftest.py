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
from tests.chaos.lives import LIVES, TRAINED
from tests.chaos.recording import Recording, record
from tests.chaos.trained import DATA
from tests.conftest import namespace_of_its_own
from tests.unit.trainer.conftest import RealStore, store
from tests.unit.trainer.datasets import make_dataset

__all__ = ["served", "store"]

OpenLane = Callable[..., AbstractAsyncContextManager[Lane]]


@pytest.fixture(scope="session")
def open_lane(served: BareControlPlane, tmp_path_factory: pytest.TempPathFactory) -> OpenLane:
    """Opens a lane in a namespace of its own; its operator is yet to be started.

    With `everywhere=True` that serves all, and with a `store` real trainers work there, on a node of so many GPUs.
    """
    folder: Path = tmp_path_factory.mktemp("lanes")

    @asynccontextmanager
    async def opened(
        *, everywhere: bool = False, store: RealStore | None = None, gpus: int = 1000
    ) -> AsyncIterator[Lane]:
        with ExitStack() as stack:
            namespace = await asyncio.to_thread(stack.enter_context, namespace_of_its_own(served, BY_HAND))
            async with lane(served, namespace, folder, store, gpus, everywhere=everywhere) as found:
                yield found

    return opened


@pytest.fixture(scope="session")
def recordings(open_lane: OpenLane) -> dict[str, Recording]:
    """Every life as it is without faults."""

    async def recorded() -> dict[str, Recording]:
        async with open_lane() as found:
            return await record(found, LIVES)

    return asyncio.run(recorded())


@pytest.fixture(scope="session")
def data(store: RealStore, tmp_path_factory: pytest.TempPathFactory) -> RealStore:
    """A store with what real trainers train on."""
    store.put_folder(make_dataset(tmp_path_factory.mktemp("made") / "data"), "datasets", DATA)
    return store


@pytest.fixture(scope="session")
def trained(open_lane: OpenLane, data: RealStore) -> Recording:
    """The life of a real trainer as it is without faults."""

    async def recorded() -> dict[str, Recording]:
        async with open_lane(store=data) as found:
            return await record(found, [TRAINED])

    return asyncio.run(recorded())[TRAINED.name]
