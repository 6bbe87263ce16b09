"""A run of lower priority gives its GPU away, to Kubernetes' own scheduler, and loses nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from modelyard_api.outcome import Reason
from modelyard_cluster.bare import BareControlPlane

from tests.chaos.conftest import OpenLane
from tests.unit.trainer.conftest import RealStore

_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_WAIT = 60


@pytest.fixture
def priorities(served: BareControlPlane) -> Iterator[tuple[str, str]]:
    """The names of two PriorityClasses, the lower first."""
    names = ("patient", "urgent")
    for value, name in enumerate(names, 1):
        served.api.post(_CLASSES, {"metadata": {"name": name}, "value": 1000 * value})
    yield names
    for name in names:
        served.api.delete(f"{_CLASSES}/{name}")


async def test_the_preempted_run_goes_on_where_it_was(
    open_lane: OpenLane, data: RealStore, priorities: tuple[str, str]
) -> None:
    low, high = priorities
    async with open_lane(store=data, gpus=1) as lane:
        assert lane.workshop is not None
        run, witness = lane.workshop.changes, lane.witness
        await lane.begin_operator()
        slow = {"training__epochs": 12, "model__architecture": "linear-500ms", "resources__priorityClassName": low}
        await asyncio.to_thread(lane.view.apply, "patient", **{**run, **slow})
        await witness.until(
            lambda: witness.status("patient").get("progress", {}).get("epoch"), "an epoch was reported", _WAIT
        )
        await asyncio.to_thread(lane.view.apply, "urgent", **{**run, "resources__priorityClassName": high})
        await witness.until(lambda: witness.status("urgent").get("phase") == "Complete", "it had the GPU", _WAIT)
        await witness.until(lambda: witness.status("patient").get("phase") == "Complete", "it got it back", _WAIT)
        status = witness.status("patient")
        first, second = status["attempts"]
        assert (first["reason"], status["retries"]) == (Reason.INTERRUPTED, 0)
        assert "PreemptionByScheduler" in first["message"]
        assert first["epoch"] == second["resumedFromEpoch"] > 0
        assert (second["reason"], status["progress"]["epoch"]) == (Reason.COMPLETED, 12)
