"""Taking, keeping and losing the Lease, with clocks that the test shortens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError, ConflictError, NotFoundError
from modelyard_operator.kube.lease import Lease
from modelyard_operator.reconcile.leadership import Leadership, Timing

QUICK = Timing(duration=1, give_up=0.5, renew=0.05, look=0.05)


@dataclass
class LeaseServer:
    """The API server, as far as Leases go: optimistic concurrency, and failure on request."""

    stored: dict[str, Any] | None = None
    version: int = 0
    failing_for: set[str] = field(default_factory=set)
    answers_to_writes: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is clear, writes take place but nobody hears of it."""

    def __post_init__(self) -> None:
        self.answers_to_writes.set()

    def client(self, name: str) -> KubeClient:
        return cast("KubeClient", _Client(self, name))

    def write(self, name: str, body: dict[str, Any], expected: str | None) -> dict[str, Any]:
        self._answer(name)
        current = self.stored["metadata"]["resourceVersion"] if self.stored else None
        if current != expected:
            raise ConflictError(409, "Conflict", "somebody was faster")
        self.version += 1
        self.stored = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.stored

    def read(self, name: str) -> dict[str, Any]:
        self._answer(name)
        if self.stored is None:
            raise NotFoundError(404, "NotFound", "no such lease")
        return self.stored

    def _answer(self, name: str) -> None:
        if name in self.failing_for:
            raise ApiError(500, "InternalError", "out of reach")


@dataclass
class _Client:
    server: LeaseServer
    name: str

    async def get(self, path: str) -> dict[str, Any]:
        return self.server.read(self.name)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.server.write(self.name, body, None)

    async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        written = self.server.write(self.name, body, body["metadata"]["resourceVersion"])
        await self.server.answers_to_writes.wait()
        return written


@dataclass
class Work:
    """Counts how often it was started and stopped."""

    started: int = 0
    stopped: int = 0

    async def start(self) -> None:
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1


@dataclass
class Replica:
    leadership: Leadership
    work: Work
    task: asyncio.Task[None]

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


Start = Callable[[str], Replica]


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@pytest.fixture
async def start(server: LeaseServer) -> Any:
    replicas: list[Replica] = []

    def begin(name: str) -> Replica:
        work = Work()
        lease = Lease(server.client(name), "modelyard", "modelyard")
        leadership = Leadership(lease, name, lambda: {"name": name}, QUICK)
        leadership.lead(work)
        replica = Replica(leadership, work, asyncio.create_task(leadership.keep()))
        replicas.append(replica)
        return replica

    yield begin
    for replica in replicas:
        await replica.end()


async def eventually(so: Callable[[], bool], seconds: float = 3) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not so():
        assert loop.time() < began + seconds, "waited in vain"
        await asyncio.sleep(0.01)
    return loop.time() - began


async def test_the_first_leads_and_the_second_knows_where_it_is(start: Start) -> None:
    one = start("one")
    await eventually(lambda: one.work.started == 1)
    two = start("two")
    await eventually(lambda: two.leadership.leader() == {"name": "one"})
    assert (one.leadership.leads(), two.leadership.leads()) == (True, False)


async def test_of_many_that_begin_at_once_one_leads(start: Start) -> None:
    replicas = [start(name) for name in "abcde"]
    await asyncio.sleep(0.5)
    assert sum(replica.leadership.leads() for replica in replicas) == 1
    assert sum(replica.work.started for replica in replicas) == 1


async def test_a_leader_that_lets_go_is_followed_at_once(start: Start) -> None:
    one = start("one")
    await eventually(one.leadership.leads)
    two = start("two")
    await eventually(lambda: two.leadership.looked_at is not None)
    await one.end()
    await one.leadership.let_go()
    assert one.work.stopped == 1
    assert await eventually(two.leadership.leads) < 0.5


async def test_a_leader_that_ends_in_the_middle_of_renewing_lets_go_all_the_same(
    start: Start, server: LeaseServer
) -> None:
    one = start("one")
    await eventually(one.leadership.leads)
    server.answers_to_writes.clear()
    before = server.version
    await eventually(lambda: server.version > before)
    await one.end()
    server.answers_to_writes.set()
    await one.leadership.let_go()
    assert server.read("one")["spec"]["holderIdentity"] == ""


async def test_who_lets_go_leaves_the_lease_of_another_alone(start: Start, server: LeaseServer) -> None:
    one = start("one")
    await eventually(one.leadership.leads)
    two = start("two")
    await eventually(lambda: two.leadership.looked_at is not None)
    await one.end()
    await eventually(two.leadership.leads)
    await one.leadership.let_go()
    assert server.read("two")["spec"]["holderIdentity"] == "two"


async def test_a_leader_that_vanishes_is_followed_when_its_lease_has_run_out(start: Start) -> None:
    one = start("one")
    await eventually(one.leadership.leads)
    two = start("two")
    await eventually(lambda: two.leadership.looked_at is not None)
    await one.end()
    assert 0.8 < await eventually(two.leadership.leads) < 1.6


async def test_a_leader_cut_off_stops_before_another_begins(start: Start, server: LeaseServer) -> None:
    one = start("one")
    await eventually(one.leadership.leads)
    two = start("two")
    await asyncio.sleep(0.1)
    server.failing_for = {"one"}
    await eventually(lambda: not one.leadership.leads())
    assert not two.leadership.leads()
    await eventually(lambda: one.work.stopped == 1 and two.leadership.leads())
    server.failing_for = set()
    await asyncio.sleep(0.2)
    assert (one.leadership.leads(), two.leadership.leads()) == (False, True)


async def test_work_that_cannot_begin_ends_the_loop(start: Start) -> None:
    async def fail() -> None:
        raise RuntimeError("no work today")

    one = start("one")
    failing: Callable[[], Awaitable[None]] = fail
    one.work.start = failing  # type: ignore[method-assign,assignment]
    await eventually(one.task.done)
    with pytest.raises(RuntimeError, match="no work today"):
        one.task.result()
