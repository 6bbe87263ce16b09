"""What a watch shows, and what of it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from modelyard_operator.domain.names import ATTEMPT_LABEL, CONTAINER, RUN_UID_LABEL
from modelyard_operator.metrics import EventClock
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.observer import Observer
from modelyard_operator.reconcile.reports import ReportStore

from tests.unit.operator_.cluster import patient_queue
from tests.unit.operator_.world import World, a_run


class Watch:
    """An observer, and what it fills."""

    def __init__(self, world: World) -> None:
        self.cache, self.queue, self.reports = Cache(), patient_queue(), ReportStore()
        self.queue.open()
        self.cache.store_run(world.stored())
        self.observer = Observer(self.cache, self.queue, self.reports, EventClock())


def raw_pod(world: World, phase: str, version: int) -> dict[str, Any]:
    """The pod of attempt 1, as the API server shows it; once it has failed, with exit code 10."""
    state = {"terminated": {"exitCode": 10, "finishedAt": "2026-11-21T12:05:00Z"}} if phase == "Failed" else {}
    owner = {"uid": world.jobs[1].uid, "controller": True}
    return {
        "metadata": {
            "namespace": "vision",
            "name": "digits-1-abcde",
            "uid": "pod-1",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-21T12:00:00Z",
            "labels": {RUN_UID_LABEL: world.run.uid, ATTEMPT_LABEL: "1"},
            "ownerReferences": [owner],
        },
        "status": {"phase": phase, "containerStatuses": [{"name": CONTAINER, "state": state}]},
    }


@pytest.mark.parametrize("seen_before", ["Running", None])
async def test_how_a_pod_ended_is_kept_where_only_its_deletion_tells(seen_before: str | None) -> None:
    """Events that follow each other closely reach us as one, the last."""
    world = a_run().begun().pod_running()
    watch = Watch(world)
    if seen_before is not None:
        watch.observer.saw_pod("MODIFIED", raw_pod(world, seen_before, 5))
        watch.queue.done(await watch.queue.get())
    watch.observer.saw_pod("DELETED", raw_pod(world, "Failed", 6))
    assert await watch.queue.get() == world.run.key
    (pod,) = watch.cache.pods_of(world.run.uid)
    assert pod.terminated is not None
    assert pod.terminated.exit_code == 10


@pytest.mark.parametrize(("phase", "over"), [("Running", False), ("Failed", True)])
async def test_any_other_pod_that_is_deleted_is_forgotten(phase: str, over: bool) -> None:
    world = a_run().begun().pod_running()
    if over:
        world.pod_exits(0).looked_at()
    watch = Watch(world)
    watch.observer.saw_pod("MODIFIED", raw_pod(world, phase, 5))
    watch.observer.saw_pod("DELETED", raw_pod(world, phase, 6))
    assert watch.cache.pods_of(world.run.uid) == ()
    assert await watch.queue.get() == world.run.key
