"""A namespace with an operator that reaches the API server through a fault proxy only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from modelyard_cluster.bare import BareControlPlane

from tests.chaos.faults import Fault
from tests.chaos.lives import Fate, Life
from tests.chaos.proxy import FaultProxy
from tests.chaos.trace import differences, trace
from tests.chaos.witness import Witness
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess, grant, withdraw

_INTAKE = "https://intake.example:8443"
"""What trainers are told: the same in every lane, as it stands in Jobs that are compared."""


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

    async def live(self, run: str, life: Life, *faults: Fault, seconds: float = 60) -> None:
        """One run from its creation to its end, with faults; no two of its moves are further apart than `seconds`."""
        self.proxy.faults.extend(faults)
        await Fate(self.view, self.witness, run, life).play(seconds)

    async def has_left(self, run: str, expected: object, *, tidied: bool = True, seconds: float = 60) -> None:
        """Wait until the run has left behind what another life has, and check that it had one Job at a time.

        Without `tidied` its Jobs need not have been told to expire, which takes ten seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while differing := self._differences(run, expected, tidied):
            assert loop.time() < deadline, "\n".join(["what is left differs:", *differing])
            await self.witness.change(0.5)
        assert self.witness.offences(run) == []

    def _differences(self, run: str, expected: object, tidied: bool) -> list[str]:
        found = differences(trace(self.witness, run), expected)
        return [line for line in found if tidied or "ttlSecondsAfterFinished" not in line.partition(": ")[0]]


@asynccontextmanager
async def lane(
    plane: BareControlPlane, namespace: str, folder: Path, *, everywhere: bool = False
) -> AsyncIterator[Lane]:
    """A lane in a namespace whose pods move by hand only; with `everywhere` its operator serves all namespaces."""
    token = await asyncio.to_thread(grant, plane, namespace, everywhere=everywhere)
    flags = {"intake-url": _INTAKE, **({"namespaces": ""} if everywhere else {})}
    operator = ProxiedOperator(plane, namespace, token, folder, namespace, flags)

    async def strike() -> None:
        await found.replace_operator()

    async with Witness(plane, namespace) as witness, FaultProxy(plane.url, plane.ca, strike) as proxy:
        operator.server = proxy.url
        found = Lane(NamespaceView(plane, namespace), witness, proxy, operator)
        try:
            yield found
        finally:
            await asyncio.to_thread(operator.thaw_and_kill)
            if everywhere:
                await asyncio.to_thread(withdraw, plane, namespace)
