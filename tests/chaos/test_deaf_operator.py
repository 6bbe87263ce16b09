"""The operator is not told what happens, or is told what was: it finds out, and the run ends as it would have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import pytest
from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_cluster.by_hand import set_running, set_terminated

from tests.chaos.conftest import OpenLane
from tests.chaos.faults import Expire, Fault, Freeze, Hide, Kill, Side, Stale
from tests.chaos.lane import Lane
from tests.chaos.lives import SMOOTH
from tests.chaos.recording import Recording
from tests.chaos.witness import Object
from tests.integration.namespace_view import conditions

KINDS = ("trainingruns", "jobs", "pods")
RUN = f"{SMOOTH.name}-1"
_UNTIL_WATCHES_ARE_OPEN = 1.0
_A_WHILE = 2.0
_LONG_ENOUGH_TO_GIVE_UP = 13.0


async def lives_through(
    open_lane: OpenLane, recording: Recording, faults: Iterable[Fault], flags: dict[str, str], seconds: float = 120
) -> None:
    """Each fault in a lane of its own, beside the others."""

    async def one(fault: Fault) -> None:
        async with open_lane() as lane:
            await _ready(lane, flags)
            await lane.live(RUN, recording.life, fault, seconds=seconds)
            await lane.has_left(RUN, recording.left, tidied=False)
            assert fault in lane.proxy.happened

    async with asyncio.TaskGroup() as together:
        for fault in faults:
            together.create_task(one(fault))


async def _ready(lane: Lane, flags: dict[str, str]) -> None:
    await lane.begin_operator(**flags)
    await asyncio.to_thread(lane.operator.wait_until_ready)
    await asyncio.sleep(_UNTIL_WATCHES_ARE_OPEN)


async def test_hidden_events_are_made_up_for_by_the_sweep(smooth: Recording, open_lane: OpenLane) -> None:
    await lives_through(open_lane, smooth, map(Hide, KINDS), {"sweep-seconds": "1"})


async def test_a_watch_that_has_expired_is_begun_anew(smooth: Recording, open_lane: OpenLane) -> None:
    await lives_through(open_lane, smooth, map(Expire, KINDS), {})


@pytest.mark.long
async def test_a_watch_that_has_silently_frozen_is_given_up(smooth: Recording, open_lane: OpenLane) -> None:
    """Where nothing was heard for 70 s a watch is begun anew, long before the next sweep."""
    await lives_through(open_lane, smooth, map(Freeze, KINDS), {}, seconds=240)


async def test_a_new_operator_is_shown_for_a_while_what_was(smooth: Recording, open_lane: OpenLane) -> None:
    """Killed once the Job is there; what the next one lists comes from an API server that lags behind, then no more."""
    created = next(write for write in smooth.writes if write.what == "POST jobs")

    async def one(stale: Stale) -> None:
        async with open_lane() as lane:
            await _ready(lane, {"sweep-seconds": "2"})
            life = asyncio.create_task(lane.live(RUN, smooth.life, Kill(created.of(RUN), Side.AFTER), stale))
            await lane.witness.until(lambda: stale in lane.proxy.happened, f"{stale} were served")
            await asyncio.sleep(_A_WHILE)
            lane.proxy.faults.remove(stale)
            await life
            await lane.has_left(RUN, smooth.left, tidied=False)

    async with asyncio.TaskGroup() as together:
        for plural in KINDS:
            together.create_task(one(Stale(plural)))


async def test_what_the_trainer_said_is_waited_for_where_its_pod_is_seen_late(open_lane: OpenLane) -> None:
    """The Job alone told the end, and of the exit code only: a data set without pictures became a wrong spec.

    Later than a pod is waited for that may be gone: what is listed is known to be older than the Job's end.
    """
    async with open_lane() as lane:
        await _ready(lane, {})
        lane.proxy.faults.append(Stale("pods"))
        await asyncio.to_thread(lane.view.apply, RUN)
        await lane.witness.until(
            lambda: any("nodeName" in pod["spec"] for pod in lane.witness.pods(RUN)), "it has a pod"
        )
        (pod,) = lane.witness.pods(RUN)
        place = (lane.view.plane.api, lane.view.namespace, pod["metadata"]["name"])
        await asyncio.to_thread(set_running, *place)
        await lane.witness.until(lambda: "runningAt" in _attempt(lane), "it is known to run")

        lane.proxy.faults.append(Hide("pods"))
        said = TerminationMessage(reason=Reason.DATASET_EMPTY, message="no pictures", attempt=1, epoch=0)
        message = said.model_dump_json(by_alias=True, exclude_none=True)
        await asyncio.to_thread(partial(set_terminated, *place, exit_code=10, message=message))
        await lane.witness.until(lambda: _has_failed(lane), "its Job has failed")
        await asyncio.sleep(_LONG_ENOUGH_TO_GIVE_UP)
        assert "endedAt" not in _attempt(lane)
        assert {Stale("pods"), Hide("pods")} <= set(lane.proxy.happened)
        lane.proxy.faults.remove(Stale("pods"))
        await lane.witness.until(lambda: "endedAt" in _attempt(lane), "its end is known", 60)

        assert (_attempt(lane)["reason"], _attempt(lane)["message"]) == (Reason.DATASET_EMPTY, "no pictures")


def _has_failed(lane: Lane) -> bool:
    (job,) = lane.witness.jobs(RUN)
    return conditions(job.get("status", {})).get("Failed") == "True"


def _attempt(lane: Lane) -> Object:
    attempts: list[Object] = lane.witness.status(RUN).get("attempts") or [{}]
    return attempts[-1]
