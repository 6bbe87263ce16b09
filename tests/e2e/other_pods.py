"""Pods of somebody else's beside the runs, with Python in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.kubectl import Object
from tests.e2e.yard import Yard

RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The security context that the Pod Security Standard `restricted` asks for."""


def pod(yard: Yard, name: str, security: dict[str, Any]) -> Object:
    """The manifest of a pod that waits to be told what to do."""
    container = {
        "name": name,
        "image": yard.image,
        "imagePullPolicy": "Never",
        "command": ["sleep", "3600"],
        "securityContext": security,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@contextmanager
def other_pod(yard: Yard, name: str) -> Iterator[str]:
    """Such a pod, ready, in the runs' namespace while the block lasts; its name."""
    yard.kubectl.apply(pod(yard, name, RESTRICTED))
    yard.kubectl.wait(f"pod/{name}", "condition=Ready", 60)
    yield name
    yard.kubectl("delete", "pod", name, "--wait=false", "--grace-period=1")
