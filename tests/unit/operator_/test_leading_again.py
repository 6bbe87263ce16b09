"""A replica that led, lost the Lease, and leads again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.actions import ActionRunner
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.events import EventWriter
from modelyard_operator.reconcile.reconciler import Reconciler
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter
from modelyard_operator.reconcile.sweep import Sweep
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.world import NOON, SETTINGS, a_run


class Silent:
    """An API server with nothing in it."""

    async def list(self, path: str, selector: str | None = None) -> Any:
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
        events=EventWriter(client, "test"),
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
