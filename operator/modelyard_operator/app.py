"""The operator put together: which part is made of which, and in what order they start and stop."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from modelyard_operator.config import Config
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.handlers.probes import ProbeServer
from modelyard_operator.kube.client import KubeClient, cancelled
from modelyard_operator.kube.lease import Lease
from modelyard_operator.metrics import EventClock
from modelyard_operator.reconcile.actions import ActionRunner
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.events import EventWriter
from modelyard_operator.reconcile.leadership import Leadership, Timing
from modelyard_operator.reconcile.observer import Observer
from modelyard_operator.reconcile.reconciler import Reconciler
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter
from modelyard_operator.reconcile.sweep import Sweep, count_phases
from modelyard_operator.reconcile.workqueue import WorkQueue

_log = logging.getLogger(__name__)
_STUCK_AFTER = 60.0
"""Seconds after which a loop that has not come round is taken for stuck."""


@dataclass
class Operator:
    """One replica."""

    config: Config
    client: KubeClient
    cache: Cache
    observer: Observer
    sweep: Sweep
    events: EventWriter
    leadership: Leadership
    probes: ProbeServer
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Begin. Returns once everything was listed: from then on this replica can lead."""
        await self.probes.start()
        await self.sweep.run_until_it_works()
        self._tasks = [
            asyncio.create_task(self.events.work(), name="events"),
            asyncio.create_task(self.leadership.keep(), name="leadership"),
        ]
        _log.info("ready", extra={"identity": self.config.identity, "runs": len(self.cache.runs)})

    async def stop(self) -> None:
        """End, and let a standby take over at once."""
        await cancelled(*self._tasks)
        await self.leadership.let_go()
        await self.probes.stop()


def assemble(config: Config, client: KubeClient) -> Operator:
    """A replica that is yet to be started."""
    settings = run_settings(config)
    cache, reports, queue = Cache(), ReportStore(), WorkQueue[RunKey]()
    events = EventWriter(client, config.identity)
    sweep = Sweep(client, cache, reports, queue, config.namespaces)
    lease = Lease(client, config.namespace or client.access.namespace, config.lease_name)
    leadership = Leadership(lease, config.identity, {}, Timing.of(config.lease_seconds))
    reconciler = Reconciler(
        client=client,
        cache=cache,
        reports=reports,
        actions=ActionRunner(client, cache, settings, _nothing_to_prepare),
        writer=StatusWriter(client, Pace()),
        events=events,
        settings=settings,
        is_leader=leadership.leads,
    )
    controller = Controller(queue, reconciler, sweep, workers=config.workers, sweep_seconds=config.sweep_seconds)
    leadership.lead(controller)
    probes = ProbeServer(
        config.bind_address,
        config.probe_port,
        healthy=lambda: _healthy(leadership),
        ready=lambda: _ready(leadership, sweep, config),
        before_metrics=lambda: count_phases(cache),
    )
    observer = Observer(cache, queue, reports, EventClock())
    return Operator(config, client, cache, observer, sweep, events, leadership, probes)


def run_settings(config: Config) -> RunSettings:
    """The part of the configuration that decisions depend on."""
    return RunSettings(
        trainer_image=config.trainer_image,
        image_pull_policy=config.image_pull_policy,
        image_pull_secrets=config.image_pull_secrets,
        intake_url=config.intake_url,
        report_interval=config.report_interval,
        retry_delay=timedelta(seconds=config.retry_delay_seconds),
        lost_pod_grace=timedelta(seconds=config.lost_pod_grace_seconds),
        watching_since=datetime.now(UTC),
    )


async def _nothing_to_prepare(_namespace: str) -> None:
    return


def _healthy(leadership: Leadership) -> str | None:
    """A loop that is stuck is what a restart cures; an API server out of reach is not."""
    tried = leadership.tried_at
    if tried is not None and time.monotonic() - tried > _STUCK_AFTER:
        return f"the leadership loop has not come round for {_STUCK_AFTER:.0f} s"
    return None


def _ready(leadership: Leadership, sweep: Sweep, config: Config) -> str | None:
    if not sweep.finished:
        return "the first list of runs, Jobs and pods is not there yet"
    if leadership.looked_at is None or time.monotonic() - leadership.looked_at > 3 * config.lease_seconds:
        return "the API server was not reached lately"
    return None
