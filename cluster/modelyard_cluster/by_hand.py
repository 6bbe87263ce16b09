"""Setting a pod's status as its kubelet would, through the status subresource.

For pods that kwok leaves alone: those with the label `modelyard.dev/by-hand`, or in a namespace whose name begins with
`by-hand` (which needs nothing from whoever creates the pods). Deletion is still played: such a pod goes at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .kube_api import STRATEGIC_PATCH, KubeApi


def set_running(api: KubeApi, namespace: str, pod: str) -> None:
    """All containers of the pod run, and it is Ready."""
    now = _now()
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    _set(
        api,
        namespace,
        pod,
        {"phase": "Running", "startTime": now, "conditions": conditions},
        {"ready": True, "started": True, "state": {"running": {"startedAt": now}}},
    )


def set_terminated(
    api: KubeApi, namespace: str, pod: str, *, exit_code: int = 0, reason: str = "", message: str = ""
) -> None:
    """All containers of the pod have ended with `exit_code`, and the pod has Succeeded or Failed accordingly.

    `reason` is the container's, by default `Completed` or `Error`; the kubelet says `OOMKilled` after an OOM kill.
    `message` is the termination message, of which a kubelet keeps 4096 bytes.
    """
    now = _now()
    terminated = {
        "exitCode": exit_code,
        "reason": reason or ("Error" if exit_code else "Completed"),
        "message": message,
        "startedAt": now,
        "finishedAt": now,
    }
    _set(
        api,
        namespace,
        pod,
        {"phase": "Failed" if exit_code else "Succeeded"},
        {"ready": False, "started": False, "state": {"terminated": terminated}},
    )


def set_evicted(api: KubeApi, namespace: str, pod: str, *, reason: str = "Evicted", message: str = "") -> None:
    """The pod has Failed before any container could end by itself, as after an eviction or the loss of its node."""
    now = _now()
    disruption = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "TerminationByKubelet",
        "message": message,
        "lastTransitionTime": now,
    }
    body = {"phase": "Failed", "reason": reason, "message": message, "conditions": [disruption]}
    api.patch(_path(namespace, pod) + "/status", {"status": body}, STRATEGIC_PATCH)


def _set(api: KubeApi, namespace: str, pod: str, status: dict[str, Any], container: dict[str, Any]) -> None:
    containers = api.get(_path(namespace, pod))["spec"]["containers"]
    statuses = [
        {"name": one["name"], "image": one["image"], "imageID": one["image"], "restartCount": 0, **container}
        for one in containers
    ]
    api.patch(_path(namespace, pod) + "/status", {"status": {**status, "containerStatuses": statuses}}, STRATEGIC_PATCH)


def _path(namespace: str, pod: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{pod}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
