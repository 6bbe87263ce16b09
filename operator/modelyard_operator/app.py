"""The operator put together: which part is made of which, and in what order they start and stop."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from modelyard_operator.config import Config
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.handlers.probes import ProbeServer
from modelyard_operator.intake.authority_publisher import AuthorityPublisher
from modelyard_operator.intake.certificates import Certificates, follow, load_certificates, make_certificates
from modelyard_operator.intake.forwarding import Forwarder
from modelyard_operator.intake.keys import SigningKeys
from modelyard_operator.intake.server import IntakeServer
from modelyard_operator.kube.client import KubeClient, cancelled
from modelyard_operator.kube.lease import Lease
from modelyard_operator.metrics import EventClock
from modelyard_operator.reconcile.actions import ActionRunner
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.controller import Controller
from modelyard_operator.reconcile.events import EventWriter
from modelyard_operator.reconcile.leadership import ADDRESS, CERTIFICATE, Leadership, Timing
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
    intake: IntakeServer
    authority: AuthorityPublisher
    forwarder: Forwarder
    certificates: Certificates
    tasks: list[asyncio.Task[None]]

    async def start(self) -> None:
        """Begin. Returns once everything was listed: from then on this replica can lead."""
        await self.probes.start()
        await self.sweep.run_until_it_works()
        await self.intake.start()
        self.tasks += [
            asyncio.create_task(self.events.work(), name="events"),
            asyncio.create_task(self.leadership.keep(), name="leadership"),
            asyncio.create_task(self.authority.work(), name="authority"),
            asyncio.create_task(self.sweep.keep(self.config.sweep_seconds), name="sweep"),
        ]
        if (folder := self.config.intake_tls_folder) is not None:
            self.tasks.append(asyncio.create_task(follow(self.certificates, folder), name="certificates"))
        _log.info("ready", extra={"identity": self.config.identity, "runs": len(self.cache.runs)})

    async def stop(self) -> None:
        """End, and let a standby take over at once."""
        await cancelled(*self.tasks)
        await self.leadership.let_go()
        await self.intake.stop()
        await self.forwarder.close()
        await self.probes.stop()


def assemble(config: Config, client: KubeClient) -> Operator:
    """A replica that is yet to be started.

    Raises:
        OSError, ssl.SSLError: the mounted certificate cannot be used.
    """
    settings = run_settings(config)
    certificates = _certificates(config)
    cache, reports = Cache(), ReportStore()
    queue = WorkQueue[RunKey](cache.waits_for_its_first_job, others_at_once=max(1, config.workers // 4))
    events = EventWriter(client, config.identity, queue.calm)
    sweep = Sweep(client, cache, reports, queue, config.namespaces)
    lease = Lease(client, config.namespace or client.access.namespace, config.lease_name)
    leadership = Leadership(
        lease, config.identity, lambda: _calling_card(config, certificates), Timing.of(config.lease_seconds)
    )
    authority = AuthorityPublisher(
        client,
        settings.intake_config_map,
        config.identity,
        lambda: certificates.ca,
        lambda: namespaces_at_work(cache),
        known=cache.namespaces,
    )
    reconciler = Reconciler(
        client=client,
        cache=cache,
        reports=reports,
        actions=ActionRunner(client, cache, settings, authority.prepare),
        writer=StatusWriter(client, Pace()),
        events=events,
        settings=settings,
        is_leader=leadership.leads,
    )
    controller = Controller(queue, reconciler, sweep, workers=config.workers)
    leadership.lead(controller)
    tasks: list[asyncio.Task[None]] = []
    probes = ProbeServer(
        config.bind_address,
        config.probe_port,
        healthy=lambda: _healthy(leadership, [*tasks, *controller.tasks]),
        ready=lambda: _ready(leadership, sweep, config),
        before_metrics=lambda: count_phases(cache),
    )
    forwarder = Forwarder(leadership.leader, _intake_host(config))
    intake = IntakeServer(
        address=config.bind_address,
        port=config.intake_port,
        certificates=certificates,
        keys=SigningKeys(client),
        cache=cache,
        reports=reports,
        wake=queue.add,
        leads=leadership.leads,
        forwarder=forwarder,
    )
    observer = Observer(cache, queue, reports, EventClock())
    return Operator(
        config=config,
        client=client,
        cache=cache,
        observer=observer,
        sweep=sweep,
        events=events,
        leadership=leadership,
        probes=probes,
        intake=intake,
        authority=authority,
        forwarder=forwarder,
        certificates=certificates,
        tasks=tasks,
    )


def namespaces_at_work(cache: Cache) -> set[str]:
    """Namespaces where a trainer may be about to report."""
    return {run.key.namespace for run in cache.runs.values() if not run.is_over}


def _certificates(config: Config) -> Certificates:
    if config.intake_tls_folder is not None:
        return load_certificates(config.intake_tls_folder)
    host = _intake_host(config)
    return make_certificates([config.advertise_address, "localhost", *([host] if host else [])], config.identity)


def _intake_host(config: Config) -> str | None:
    return urlsplit(config.intake_url).hostname if config.intake_url is not None else None


def _calling_card(config: Config, certificates: Certificates) -> dict[str, str]:
    """What stands in the Lease, so that standbys can forward reports."""
    host = config.advertise_address
    address = f"https://{f'[{host}]' if ':' in host else host}:{config.intake_port}"
    return {ADDRESS: address, CERTIFICATE: certificates.ca}


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
        tidy_after=timedelta(seconds=config.tidy_after_seconds),
    )


def _healthy(leadership: Leadership, tasks: list[asyncio.Task[None]]) -> str | None:
    """A loop that has ended or is stuck is what a restart cures; an API server out of reach is not."""
    ended = next((task for task in tasks if task.done()), None)
    if ended is not None:
        return f"the loop {ended.get_name()} has ended, which it never should"
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
