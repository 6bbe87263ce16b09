"""How often a run's status is written."""

from __future__ import annotations

from typing import Any, cast

import pytest
from modelyard_api.report import Stage
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter

from tests.unit.operator_.world import World, a_run


class Answering:
    """An API server that has just written what it was given."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def apply(self, path: str, body: dict[str, Any], *, manager: str, metadata_only: bool) -> dict[str, Any]:
        assert body["metadata"]["resourceVersion"] == self._world.run.resource_version
        return {"metadata": {"resourceVersion": "2"}}


@pytest.mark.parametrize(
    ("change", "delay"),
    [
        ({"stage": Stage.EXPORTING, "epoch": 1}, 0.0),
        ({"stage": Stage.TRAINING, "epoch": 2}, 1.0),
        ({"stage": Stage.TRAINING, "epoch": 1, "percent": 9}, 5.0),
        ({"stage": Stage.TRAINING, "epoch": 1, "elapsed_seconds": 30, "eta_seconds": 9}, 60.0),
    ],
    ids=["a phase never waits", "an epoch", "a detail", "a heartbeat"],
)
async def test_what_changed_says_how_long_to_wait(change: dict[str, Any], delay: float) -> None:
    world = a_run().begun().pod_running().heard(epoch=1)
    writer = StatusWriter(cast("KubeClient", Answering(world)), Pace(), clock=lambda: 100.0)
    assert writer.delay(world.run, world.decide().status) == 0.0
    written = await writer.write(world.stored(), world.decide().status)
    world.run = written.observed()
    world.heard(**change)
    assert writer.delay(world.run, world.decide().status) == delay
