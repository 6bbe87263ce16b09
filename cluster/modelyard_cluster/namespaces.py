"""Namespaces that are to be as strict as a careful administrator's."""

from __future__ import annotations

import json

from .kind import Cluster

ENFORCED = "pod-security.kubernetes.io/enforce"


def restrict(cluster: Cluster, namespace: str) -> None:
    """Have the namespace admit nothing but pods of the Pod Security Standard `restricted`; it is made if need be."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(manifest))
    cluster.kubectl("label", "namespace", namespace, f"{ENFORCED}=restricted", "--overwrite")
