"""The watches: TrainingRuns, and the Jobs and pods that carry our labels."""

from __future__ import annotations

from typing import Any, Protocol

import kopf
from modelyard_api import GROUP, VERSION

from modelyard_operator.domain.names import RUN_UID_LABEL
from modelyard_operator.handlers.no_storage import NoDiffBase, NoProgress
from modelyard_operator.kube.access import Access
from modelyard_operator.kube.paths import PLURAL
from modelyard_operator.reconcile.observer import Observer


class Replica(Protocol):
    """What is started before the watches and stopped after them."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


def registry(replica: Replica, observer: Observer, access: Access) -> kopf.OperatorRegistry:
    """The handlers, which tell `observer` what they see."""
    handlers = kopf.OperatorRegistry()

    # A start that fails ends the process, so that Kubernetes shows it and tries again.
    @kopf.on.startup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def start(**_: Any) -> None:
        await replica.start()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await replica.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def saw_run(event: Any, **_: Any) -> None:
        observer.saw_run(event["type"], event["object"])

    @kopf.on.event("batch", "v1", "jobs", registry=handlers)
    async def saw_job(event: Any, **_: Any) -> None:
        observer.saw_job(event["type"], event["object"])

    @kopf.on.event("", "v1", "pods", registry=handlers)
    async def saw_pod(event: Any, **_: Any) -> None:
        observer.saw_pod(event["type"], event["object"])

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=access.server,
            ca_data=access.ca_data.encode() if access.ca_data else None,
            certificate_data=access.certificate_data.encode() if access.certificate_data else None,
            private_key_data=access.key_data.encode() if access.key_data else None,
            token=access.current_token(),
            default_namespace=access.namespace,
        )

    return handlers


def watch_settings() -> kopf.OperatorSettings:
    """Kopf's settings, each of them said."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.worker_limit = 1
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.persistence.consistency_timeout = 0
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    # Only objects of ours come over the wire.
    settings.watching.label_selectors["batch", "v1", "jobs"] = RUN_UID_LABEL
    settings.watching.label_selectors["", "v1", "pods"] = RUN_UID_LABEL
    settings.watching.chunk_size = 100
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 0.1
    settings.watching.inactivity_timeout = 70
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    # Every object that has shown anything costs a task until this has passed.
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 1
    settings.process.ultimate_exiting_timeout = 20
    return settings
