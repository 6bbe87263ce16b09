"""Each replica's authority in one ConfigMap of every namespace that has runs: one key a replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

import aiohttp

from modelyard_operator.intake.certificates import created_at
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError
from modelyard_operator.metrics import WRITES

_log = logging.getLogger(__name__)
_PAUSE_AFTER_FAILURE = 30.0
_KEPT = 16
"""Authorities kept in a ConfigMap; those of replicas long gone make room."""


class AuthorityPublisher:
    """Publishes `ca` under this replica's key.

    Args:
        client: to write with.
        config_map: name of the ConfigMap.
        identity: name of this replica.
        ca: PEM of its authority, as it is now.
        namespaces: those that have runs at work now.
        known: those that have any run. One that has none any more may be deleted and made again.
        look_seconds: between two looks for a new namespace.
        repeat_seconds: after which it is published again, should a hand have removed it.
    """

    def __init__(
        self,
        client: KubeClient,
        config_map: str,
        identity: str,
        ca: Callable[[], str],
        namespaces: Callable[[], Iterable[str]],
        *,
        known: Callable[[], Collection[str]],
        look_seconds: float = 2,
        repeat_seconds: float = 600,
    ) -> None:
        self._client = client
        self._config_map = config_map
        self._identity = identity
        self._ca = ca
        self._namespaces = namespaces
        self._known = known
        self._look_seconds = look_seconds
        self._repeat_seconds = repeat_seconds
        self._published: dict[str, tuple[float, str]] = {}
        """When in which namespace, and what."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._not_before: dict[str, float] = {}

    async def prepare(self, namespace: str) -> None:
        """Publish in `namespace` unless that was done lately: a leader does so before the first Job there.

        Raises:
            ApiError, aiohttp.ClientError, TimeoutError: not published.
        """
        if self._is_published(namespace):
            return
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            if not self._is_published(namespace):
                ca = self._ca()
                await self._publish(namespace, ca)
                self._published[namespace] = (asyncio.get_running_loop().time(), ca)

    async def work(self) -> None:
        """Publish wherever there are runs, for ever: standbys are sent reports too."""
        while True:
            for namespace in self._published.keys() - set(self._known()):
                del self._published[namespace]
            for namespace in set(self._namespaces()):
                await self._try(namespace)
            await asyncio.sleep(self._look_seconds)

    async def _try(self, namespace: str) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._not_before.get(namespace, 0):
            return
        try:
            await self.prepare(namespace)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            # A namespace that is being deleted, most likely: asking every two seconds would only fill the log.
            self._not_before[namespace] = now + _PAUSE_AFTER_FAILURE
            _log.warning("the CA was not published", extra={"namespace": namespace, "error": str(error)})

    def _is_published(self, namespace: str) -> bool:
        at, ca = self._published.get(namespace, (0.0, None))
        return ca == self._ca() and asyncio.get_running_loop().time() < at + self._repeat_seconds

    async def _publish(self, namespace: str, ca: str) -> None:
        path = paths.config_map(namespace, self._config_map)
        # Each replica owns its own key only, so that server-side apply leaves the others' alone.
        manager = f"modelyard-intake-{self._identity}"[:128]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self._config_map,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "modelyard"},
            },
            "data": {f"{self._identity}.crt": ca},
        }
        published = await self._client.apply(path, body, manager=manager)
        WRITES.labels("intake-ca").inc()
        surplus = _surplus(published.get("data") or {}, f"{self._identity}.crt")
        if surplus:
            await self._client.merge(path, {"data": dict.fromkeys(surplus)})


def _surplus(data: dict[str, str], own: str) -> list[str]:
    """The oldest authorities beyond those that are kept, never one's own."""
    others = sorted((key for key in data if key != own), key=lambda key: created_at(data[key]), reverse=True)
    return others[_KEPT - 1 :]
