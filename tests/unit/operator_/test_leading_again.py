"""A replica that led, lost the Lease, and leads again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.reconciler import NotLeadingError, Reconciler
from modelyard_operator.reconcile.sweep import Sweep

from tests.unit.operator_.cluster import Cluster, patient_queue
from tests.unit.operator_.world import NOON, a_run


async def test_what_was_heard_while_leading_before_is_forgotten() -> None:
    world = a_run().begun().pod_running().heard(epoch=2)
    assert world.report is not None
    cluster, queue = Cluster(world), patient_queue()
    reports, reconciler = cluster.reports, cluster.reconciler()
    sweep = Sweep(cast("KubeClient", cluster), cluster.cache, reports, queue, ())
    controller = Controller(queue, reconciler, sweep, workers=1)
    reports.receive("pod-1", world.report.report, NOON - timedelta(hours=2))
    await controller.start()
    try:
        assert reports.of_pods(["pod-1"]) == []
    finally:
        await controller.stop()


class LateRenewal:
    """A reconciler that finds the Lease not renewed in time when it is first asked."""

    def __init__(self) -> None:
        self.asked: list[RunKey] = []
        self.done = asyncio.Event()

    def begin(self) -> None:
        """Lead."""

    async def reconcile(self, key: RunKey) -> None:
        self.asked.append(key)
        if len(self.asked) == 1:
            raise NotLeadingError("the renewal is under way")
        self.done.set()


async def test_a_run_looked_at_while_the_lease_was_renewed_late_is_looked_at_again() -> None:
    world = a_run()
    cluster, queue, late = Cluster(world), patient_queue(), LateRenewal()
    sweep = Sweep(cast("KubeClient", cluster), cluster.cache, cluster.reports, queue, ())
    controller = Controller(queue, cast("Reconciler", late), sweep, workers=1)
    await controller.start()
    try:
        await asyncio.wait_for(late.done.wait(), 10)
        assert late.asked == [world.run.key, world.run.key]
    finally:
        await controller.stop()
