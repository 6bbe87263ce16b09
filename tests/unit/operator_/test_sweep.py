"""Listing everything anew."""

from __future__ import annotations

from typing import cast

import pytest
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.sweep import Sweep
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.cluster import Cluster
from tests.unit.operator_.world import World, a_run

OTHER = RunKey("vision", "other")


@pytest.mark.parametrize(
    ("world", "first"),
    [(a_run(), a_run().run.key), (a_run().begun(), OTHER)],
    ids=["one that nobody has looked at", "one that is said to have a Job"],
)
async def test_of_the_runs_that_are_listed_those_without_a_job_go_first(world: World, first: RunKey) -> None:
    cluster = Cluster(world)
    queue = WorkQueue[RunKey](cluster.cache.waits_for_its_first_job, others_at_once=8)
    queue.open()
    queue.add(OTHER)
    await Sweep(cast("KubeClient", cluster), cluster.cache, cluster.reports, queue, ()).run()
    assert len(queue) == 2
    assert await queue.get() == first
