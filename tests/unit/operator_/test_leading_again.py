"""A replica that led, lost the Lease, and leads again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.actions import ActionRunner
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.events import EventWriter
from modelyard_operator.reconcile.reconciler import NotLeadingError, Reconciler
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter
from modelyard_operator.reconcile.sweep import Sweep
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.world import NOON, SETTINGS, a_run


class Silent:
    """An API server with nothing in it."""

    async def list(self, path: str, selector: str | None = None, not_before: str | None = None) -> Any:
        nothing: tuple[Any, ...] = ()
        for item in nothing:
            yield item


async def test_what_was_heard_while_leading_before_is_forgotten() -> None:
    client, cache, reports, queue = cast("KubeClient", Silent()), Cache(), ReportStore(), WorkQueue[RunKey]()

    async def prepare(_: str) -> None:
        """Nothing to prepare."""

    world = a_run().begun().pod_running().heard(epoch=2)
    assert world.report is not None
    reconciler = Reconciler(
        client=client,
        cache=cache,
        reports=reports,
        actions=ActionRunner(client, cache, SETTINGS, prepare),
        writer=StatusWriter(client, Pace()),
        events=EventWriter(client, "test", WorkQueue[RunKey]().calm),
        settings=SETTINGS,
        is_leader=lambda: True,
    )
    controller = Controller(queue, reconciler, Sweep(client, cache, reports, queue, ()), workers=1)
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
    client, cache, reports, queue = cast("KubeClient", Silent()), Cache(), ReportStore(), WorkQueue[RunKey]()
    late = LateRenewal()
    sweep = Sweep(client, cache, reports, queue, ())
    controller = Controller(queue, cast("Reconciler", late), sweep, workers=1)
    await controller.start()
    try:
        key = RunKey("vision", "run")
        queue.add(key)
        await asyncio.wait_for(late.done.wait(), 10)
        assert late.asked == [key, key]
    finally:
        await controller.stop()
