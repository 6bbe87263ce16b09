"""The Lease by which one replica leads: reading it, taking it, renewing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import NotFoundError


@dataclass(frozen=True)
class LeaseRecord:
    """What the Lease says."""

    holder: str
    renewed_at: str
    """Compared, never subtracted: the clocks of two machines differ."""
    seconds: int
    transitions: int
    resource_version: str
    annotations: dict[str, str] = field(default_factory=dict)


class Lease:
    """One Lease. Every write names the version that was read, so that of two replicas only one succeeds."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def read(self) -> LeaseRecord | None:
        """What it says now; None where there is none."""
        try:
            return _record(await self._client.get(paths.lease(self._namespace, self._name)))
        except NotFoundError:
            return None

    async def hold(
        self, before: LeaseRecord | None, holder: str, seconds: int, annotations: dict[str, str]
    ) -> LeaseRecord:
        """Take or renew it.

        Raises:
            ConflictError: somebody else was faster.
        """
        taken = before is None or before.holder != holder
        transitions = 0 if before is None else before.transitions + (1 if taken else 0)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": transitions}
        body = self._body(before, annotations, spec | {"renewTime": _micro_time()})
        if before is None:
            answer = await self._client.create(paths.leases(self._namespace), body)
            return _record({**body, "metadata": answer["metadata"]})
        return _record(await self._client.replace(paths.lease(self._namespace, self._name), body))

    async def release(self, before: LeaseRecord) -> None:
        """Let go, so that another need not wait for it to run out.

        Raises:
            ConflictError: somebody else holds it already.
        """
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": before.transitions}
        body = self._body(before, {}, spec | {"renewTime": _micro_time()})
        await self._client.replace(paths.lease(self._namespace, self._name), body)

    def _body(self, before: LeaseRecord | None, annotations: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace, "annotations": annotations}
        if before is not None:
            metadata["resourceVersion"] = before.resource_version
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _record(raw: dict[str, Any]) -> LeaseRecord:
    spec = raw.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        renewed_at=spec.get("renewTime") or "",
        seconds=int(spec.get("leaseDurationSeconds") or 1),
        transitions=int(spec.get("leaseTransitions") or 0),
        resource_version=raw["metadata"]["resourceVersion"],
        annotations=raw["metadata"].get("annotations") or {},
    )


def _micro_time() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
