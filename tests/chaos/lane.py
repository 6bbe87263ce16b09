"""A namespace with an operator that reaches the API server through a fault proxy only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelyard_cluster.bare import BareControlPlane

from tests.chaos.faults import Fault
from tests.chaos.lives import Fate, Life
from tests.chaos.proxy import FaultProxy
from tests.chaos.trace import differences, trace
from tests.chaos.trained import Workshop, workshop
from tests.chaos.witness import Witness
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess, grant, withdraw
from tests.unit.trainer.conftest import RealStore


@dataclass
class ProxiedOperator(OperatorProcess):
    """A replica that is given the proxy's address for the API server's."""

    server: str = ""

    def kubeconfig(self) -> Path:
        """One that names the proxy."""
        return self.plane.write_kubeconfig(self.folder / f"{self.name}.kubeconfig", self.token, self.server)


@dataclass
class Lane:
    """One operator at a time, and runs one after another."""

    view: NamespaceView
    witness: Witness
    proxy: FaultProxy
    operator: ProxiedOperator
    workshop: Workshop | None = None
    """Where real trainers work, if any do."""
    started: int = 0
    _replacing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin_operator(self, **flags: str) -> None:
        """Start it; it is ready some seconds later."""
        self.operator.flags |= flags
        await asyncio.to_thread(self.operator.start, wait=False)
        self.started += 1

    async def replace_operator(self) -> None:
        """Kill it, and start it anew; one that is asked for meanwhile comes after that."""
        async with self._replacing:
            await asyncio.to_thread(self.operator.kill)
            await self.begin_operator()

    async def live(self, run: str, life: Life, *faults: Fault, seconds: float = 120) -> None:
        """One run from its creation to its end, with faults; no two of its moves are further apart than `seconds`."""
        self.proxy.faults.extend(faults)
        changes = self.workshop.changes if self.workshop is not None and life.trained else {}
        await Fate(self.view, self.witness, run, replace(life, changes={**changes, **life.changes})).play(seconds)

    async def has_left(self, run: str, expected: object, *, tidied: bool = True, seconds: float = 120) -> None:
        """Wait until the run has left behind what another life has, and check that it had one Job at a time.

        Without `tidied` its Jobs need not have been told to expire, which comes last.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while differing := await self._differences(run, expected, tidied):
            assert loop.time() < deadline, "\n".join(["what is left differs:", *differing])
            await self.witness.change(0.5)
        assert self.witness.offences(run) == []

    async def left(self, run: str) -> Any:
        """What a run that is over has left behind, in S3 too where a real trainer has worked."""
        if self.workshop is None or not self.witness.run(run):
            return trace(self.witness, run)
        stored = await self.workshop.left(self.witness, run)
        in_s3 = {"s3": stored.listing()} if stored.objects else {}
        return {**trace(self.witness, run, stored.digests()), **in_s3}

    async def _differences(self, run: str, expected: object, tidied: bool) -> list[str]:
        found = differences(await self.left(run), expected)
        return [line for line in found if tidied or "ttlSecondsAfterFinished" not in line.partition(": ")[0]]


@asynccontextmanager
async def lane(
    plane: BareControlPlane,
    namespace: str,
    folder: Path,
    store: RealStore | None,
    gpus: int,
    *,
    everywhere: bool = False,
) -> AsyncIterator[Lane]:
    """A lane in a namespace whose pods move by hand only, but for those of real trainers where there is a store.

    With `everywhere` its operator serves all namespaces.
    """
    token = await asyncio.to_thread(grant, plane, namespace, everywhere=everywhere)
    flags = {"namespaces": ""} if everywhere else {}
    operator = ProxiedOperator(plane, namespace, token, folder, namespace, flags)

    async def strike() -> None:
        await found.replace_operator()

    async with AsyncExitStack() as stack:
        witness = await stack.enter_async_context(Witness(plane, namespace))
        proxy = await stack.enter_async_context(FaultProxy(plane.url, plane.ca, strike))
        operator.server = proxy.url
        found = Lane(NamespaceView(plane, namespace), witness, proxy, operator)
        if store is not None:
            found.workshop = await stack.enter_async_context(workshop(plane, namespace, folder, store, gpus))
        try:
            yield found
        finally:
            await asyncio.to_thread(operator.thaw_and_kill)
            if everywhere:
                await asyncio.to_thread(withdraw, plane, namespace)
