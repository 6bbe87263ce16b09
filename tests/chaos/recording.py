"""Lives without faults: what the operator writes in each, and what is left in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.chaos.faults import Write
from tests.chaos.lane import Lane
from tests.chaos.lives import Life
from tests.integration.operator_process import TIDY_AFTER

_QUIET_SECONDS = TIDY_AFTER + 3


@dataclass(frozen=True)
class Recording:
    """One life as it is without faults.

    Attributes:
        writes: the operator's, in their order, those for all runs among them.
        left: the trace of it.
    """

    life: Life
    writes: tuple[Write, ...]
    left: Any


async def record(lane: Lane, lives: Iterable[Life]) -> dict[str, Recording]:
    """Live all of them side by side with an operator that has just begun; by their names."""
    lives = list(lives)
    await lane.begin_operator()
    async with asyncio.TaskGroup() as together:
        for life in lives:
            together.create_task(lane.live(_name(life), life))
    await _quiet(lane)
    for life in lives:
        await _collected(lane, _name(life))
    return {life.name: await _of(lane, life) for life in lives}


async def _collected(lane: Lane, run: str) -> None:
    """Return once the Jobs of a run that is gone are, too: it takes a while, and the operator writes nothing for it."""
    seen = lane.witness
    await seen.until(lambda: seen.run(run) or not seen.jobs(run), f"the Jobs of {run} are gone with it", 120)


async def _of(lane: Lane, life: Life) -> Recording:
    offences = lane.witness.offences(_name(life))
    assert offences == []
    writes = tuple(write for write in lane.proxy.writes if write.run in (_name(life), ""))
    return Recording(life, writes, await lane.left(_name(life)))


def _name(life: Life) -> str:
    """A name that is no word of what is said of the run: it is looked for there."""
    return f"{life.name}-0"


async def _quiet(lane: Lane) -> None:
    """Return once nothing was written for longer than the operator ever leaves a run of these alone."""
    loop = asyncio.get_running_loop()
    seen, since = len(lane.proxy.writes), loop.time()
    while loop.time() - since < _QUIET_SECONDS:
        await asyncio.sleep(0.2)
        if len(lane.proxy.writes) != seen:
            seen, since = len(lane.proxy.writes), loop.time()
