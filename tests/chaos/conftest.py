"""Lanes on the real API server, and the lives without faults that all others are compared with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kwok import BY_HAND

from tests.api.conftest import served
from tests.chaos.lane import Lane, lane
from tests.chaos.lives import LIVES, SMOOTH, TRAINED, Life
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
def data(store: RealStore, tmp_path_factory: pytest.TempPathFactory) -> RealStore:
    """A store with what real trainers train on."""
    store.put_folder(make_dataset(tmp_path_factory.mktemp("made") / "data"), "datasets", DATA)
    return store


@pytest.fixture(scope="session")
def smooth(open_lane: OpenLane) -> Recording:
    """The smooth life as it is without faults."""
    return _recorded(open_lane(), [SMOOTH])[SMOOTH.name]


@pytest.fixture(scope="session")
def recordings(open_lane: OpenLane, data: RealStore) -> dict[str, Recording]:
    """Every life as it is without faults, that of a real trainer too."""
    return _recorded(open_lane(store=data), [*LIVES, TRAINED])


def _recorded(opening: AbstractAsyncContextManager[Lane], lives: Iterable[Life]) -> dict[str, Recording]:
    async def recorded() -> dict[str, Recording]:
        async with opening as found:
            return await record(found, lives)

    return asyncio.run(recorded())
