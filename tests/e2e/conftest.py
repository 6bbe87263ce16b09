"""What stories stand on: Modelyard as `make demo` installs it, on the cluster `modelyard-test`.

The cluster stays after the tests, which makes the next time quicker; `make demo-clean` removes it with the engine.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from modelyard_cluster import images
from modelyard_cluster.cache import state_folder
from modelyard_cluster.load import load

from tests.e2e.closed_network import ClosedNetwork, closed
from tests.e2e.datasets import small
from tests.e2e.long_training import Begun, begin
from tests.e2e.node import Node
from tests.e2e.shared_cpus import shared_cpus
from tests.e2e.training_runs import SMALL
from tests.e2e.yard import CLUSTER, Yard, yard_up

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager


@pytest.fixture(scope="session")
def yard(small_dataset: Path, request: pytest.FixtureRequest) -> Iterator[Yard]:
    """The cluster with everything in it, and the small data set in its store."""
    with ExitStack() as stack:
        with _shown(request):
            stack.enter_context(_alone())
            yard = stack.enter_context(yard_up())
            yard.store.upload(small_dataset, SMALL)
        yield yard


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small data set."""
    return small(tmp_path_factory.mktemp("small") / "digits")


@pytest.fixture(scope="session")
def worker(yard: Yard) -> Node:
    """The node that runs train on."""
    return Node(yard.cluster.engine, yard.cluster.workers()[0])


@pytest.fixture(scope="session")
def control_plane(yard: Yard) -> Node:
    """The node that the API server, etcd and the store run on."""
    return Node(yard.cluster.engine, yard.cluster.control_plane)


@pytest.fixture(scope="session")
def closed_network(yard: Yard, worker: Node) -> Iterator[ClosedNetwork]:
    """Store, intake and name server are all that the worker's pods can reach from now on."""
    with closed(yard, worker) as network:
        yield network


@pytest.fixture(scope="session")
def trainer_image(yard: Yard, closed_network: ClosedNetwork, request: pytest.FixtureRequest) -> Iterator[str]:
    """The image with every task, in the worker alone: it is large. It trains without any other network."""
    with _shown(request):
        image = images.build(yard.cluster.engine, images.TRAINER)
        load(yard.cluster, image, yard.cluster.workers())
    with shared_cpus(yard, image):
        yield image


@pytest.fixture(scope="session")
def long_training(yard: Yard, trainer_image: str, tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """The longest training, begun."""
    return begin(yard, trainer_image, tmp_path_factory.mktemp("digits") / "v1")


@pytest.fixture(scope="module", autouse=True)
def _the_longest_begins_early(request: pytest.FixtureRequest) -> None:
    """Beside every story that leaves node, operator and network alone, if it is among what is tested."""
    wanted = any("trained" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function))
    if wanted and not request.node.get_closest_marker("disturbing"):
        # Why it did not begin is told to whoever waits for it: no other story is worse for that.
        with suppress(Exception):
            request.getfixturevalue("long_training")


@pytest.fixture(autouse=True)
def _nothing_else_is_tried(request: pytest.FixtureRequest) -> Iterator[None]:
    """No real training so much as tries to reach anything but store, intake and name server."""
    yield
    if request.node.get_closest_marker("training"):
        network: ClosedNetwork = request.getfixturevalue("closed_network")
        assert network.tried() == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what disturbs all others, then what the longest training may run beside, the real trainings last."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return 0 if item.get_closest_marker("disturbing") else 2 if item.get_closest_marker("training") else 1


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for other tests on this cluster to end: two at once take each other's room on its one worker."""
    with (state_folder() / f"{CLUSTER}.tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _shown(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let through what is said while a cluster and its images are made: on a new machine that takes many minutes."""
    capture: CaptureManager = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        yield
