"""Many runs at once, whatever happens to them and to the operator: every one ends as what happened to it asks for."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from functools import partial

import pytest

from tests.chaos.conftest import OpenLane
from tests.chaos.drawn import DrawnRun, disturbances, draw
from tests.chaos.lane import Lane
from tests.unit.trainer.conftest import RealStore

EVERY_DAY = 60
"""Seconds for which another run begins when one has ended: with those that are under way by then, two minutes."""
_LONGEST_WAIT = 300
"""Seconds from one move of a run to its next: a hundred of them and their control plane share two cores, or what other
work leaves of them."""
_FLAGS = {"sweep-seconds": "1", "lease-seconds": "10"}
"""The operator looks for itself, since it is not told everything, and has as long to renew its Lease as where it is
installed: this much else to do on the machine takes it away otherwise, every few seconds."""


async def test_a_hundred_runs_at_once_end_right(open_lane: OpenLane, data: RealStore, seed: int) -> None:
    await load(partial(open_lane, store=data), seed, at_once=100, seconds=EVERY_DAY, kills=0.02)


@pytest.mark.long
@pytest.mark.marathon
async def test_a_hundred_runs_at_once_end_right_for_a_quarter_of_an_hour(
    open_lane: OpenLane, data: RealStore, seed: int
) -> None:
    await load(partial(open_lane, store=data), seed, at_once=100, seconds=900, kills=0.02)


async def load(open_lane: OpenLane, seed: int, *, at_once: int, seconds: float, kills: float) -> None:
    """So many runs at once; for so long another begins when one has ended."""
    loop = asyncio.get_running_loop()
    numbers, failures = itertools.count(1), list[Exception]()

    async def one_after_the_other(lane: Lane, until: float) -> None:
        while True:
            run = draw(seed, next(numbers), kills=kills)
            try:
                await ends_right(lane, run)
            except Exception as failure:
                failure.add_note(f"--seed {seed}, {run}")
                failures.append(failure)
            if failures or loop.time() >= until:
                return

    async with open_lane() as lane:
        await lane.begin_operator(**_FLAGS)
        disturbing = asyncio.create_task(disturb(lane, seed))
        until = loop.time() + seconds
        await asyncio.gather(*(one_after_the_other(lane, until) for _ in range(at_once)))
        assert not disturbing.done(), disturbing.result()
        disturbing.cancel()
        said = list(errors(lane))
    if failures:
        raise ExceptionGroup(f"{len(failures)} runs ended other than they should (--seed {seed})", failures)
    assert said == []


async def ends_right(lane: Lane, run: DrawnRun) -> None:
    """Live it, and make room for another, which garbage collection may take half a minute for."""
    await lane.live(run.name, run.life, *run.faults, seconds=_LONGEST_WAIT)
    status = lane.witness.status(run.name)
    if run.phase is not None:
        assert (status["phase"], status["reason"]) == (run.phase, run.reason), json.dumps(status)
    assert lane.witness.offences(run.name) == []
    for fault in set(run.faults) & set(lane.proxy.faults):
        # The write that it was for never came.
        lane.proxy.faults.remove(fault)
    if run.life.trained and lane.workshop is not None:
        stored = await lane.workshop.left(lane.witness, run.name)
        assert stored.is_whole()
    if run.phase is not None:
        await asyncio.to_thread(lane.view.delete, run.name)
    try:
        await lane.witness.until(lambda: not lane.witness.jobs(run.name), "its Jobs are gone", _LONGEST_WAIT)
    except AssertionError as failure:
        for left in (lane.witness.run(run.name), *lane.witness.jobs(run.name), *lane.witness.pods(run.name)):
            failure.add_note(json.dumps(left.get("metadata")) + json.dumps(left.get("status")))
        raise
    lane.witness.forget(run.name)


async def disturb(lane: Lane, seed: int) -> None:
    """Hide, delay and break off what the operator is told, for ever."""
    for disturbance in disturbances(seed):
        await asyncio.sleep(disturbance.after)
        lane.proxy.faults.append(disturbance.fault)
        await asyncio.sleep(disturbance.seconds)
        if disturbance.fault in lane.proxy.faults:
            lane.proxy.faults.remove(disturbance.fault)


def errors(lane: Lane) -> Iterator[str]:
    """What the operator has logged as errors."""
    for line in lane.operator.log.read_text().splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            yield line
        else:
            if said["level"] in ("error", "critical"):
                yield line
