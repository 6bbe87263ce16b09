"""A node of the cluster whose pods are processes of this machine."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from modelyard_cluster.bare import BareControlPlane
from modelyard_operator.kube import paths

from tests.chaos.process_pods import ProcessPod
from tests.chaos.proxy import lines
from tests.chaos.witness import Object

_LABEL = "modelyard.dev/process-node"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_RENEW_SECONDS = 10.0


class ProcessNode:
    """A Ready node on which nothing lands but what asks for it, for as long as the block lasts.

    Args:
        name: no other has; what asks for the node names it.
        folder: where its pods' volumes lie.
        gpus: how many it offers.

    Attributes:
        changes: what a run's spec has to say for its pods to come here, as `NamespaceView.apply` takes it.
    """

    def __init__(self, plane: BareControlPlane, name: str, folder: Path, gpus: int) -> None:
        self._plane = plane
        self._name = f"process-{name}"
        self._folder = folder
        self._gpus = gpus
        self._pods: dict[str, ProcessPod] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.changes: dict[str, object] = {
            "resources__nodeSelector": {_LABEL: name},
            "resources__tolerations": [{"key": _LABEL, "operator": "Exists", "effect": "NoSchedule"}],
        }

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._plane.api._context),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {self._plane.admin_token}"},
        )
        await asyncio.to_thread(self._plane.api.post, "/api/v1/nodes", self._manifest())
        await asyncio.to_thread(self._plane.api.post, _LEASES, {"metadata": {"name": self._name}, **self._lease()})
        self._tasks += [asyncio.create_task(self._renew()), asyncio.create_task(self._watch())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = [task.exception() for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        await asyncio.to_thread(self._plane.api.delete, f"/api/v1/nodes/{self._name}")
        for reason in filter(None, failed):
            raise reason

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await asyncio.to_thread(self._plane.api.patch, f"{_LEASES}/{self._name}", self._lease())

    async def _watch(self) -> None:
        path = f"{paths.pods(None)}?watch=true&fieldSelector=spec.nodeName={self._name}"
        async with self._session.get(f"{self._plane.url}{path}", raise_for_status=True) as answer:
            async for line in lines(answer):
                event = json.loads(line)
                seen, uid = event["object"], event["object"]["metadata"]["uid"]
                if uid not in self._pods and event["type"] != "DELETED":
                    self._pods[uid] = ProcessPod(self._plane, seen, self._folder / uid)
                    self._tasks.append(asyncio.create_task(self._pods[uid].live()))
                if uid in self._pods and (event["type"] == "DELETED" or "deletionTimestamp" in seen["metadata"]):
                    self._pods[uid].deleted.set()

    def _lease(self) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"spec": {"holderIdentity": self._name, "leaseDurationSeconds": 40, "renewTime": now}}

    def _manifest(self) -> Object:
        room = {
            "cpu": "1k",
            "memory": "8Ti",
            "ephemeral-storage": "8Ti",
            "pods": "1k",
            "nvidia.com/gpu": f"{self._gpus}",
        }
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
        return {
            "metadata": {"name": self._name, "labels": self.changes["resources__nodeSelector"]},
            "spec": {"taints": [{"key": _LABEL, "effect": "NoSchedule"}]},
            "status": {"capacity": room, "allocatable": room, "conditions": [ready]},
        }
