"""The chart as helm renders it."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml
from modelyard_cluster.tools import tool

from tests.integration.operator_process import CHART

VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one replica": {"replicaCount": "1"},
    "two namespaces": {"watchNamespaces": "{default,kube-public}"},
    "everything": {
        "intake.existingSecret": "intake-tls",
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets[0].name": "registry",
        "trainer.imagePullSecrets": "{registry}",
        "nodeSelector.pool": "system",
        "podAnnotations.note": "hello",
        "operator.env[0].name": "A",
        "operator.env[0].value": "b",
        "trainerNetworkPolicy.enabled": "true",
        "trainerNetworkPolicy.namespaces": "{default,kube-public}",
        "imageAllowList": "{registry.example.com/vision/}",
    },
    "as little as can be": {
        "crds.install": "false",
        "networkPolicy.enabled": "false",
        "podDisruptionBudget.enabled": "false",
        "userRoles.enabled": "false",
    },
}


def helm(*arguments: str) -> str:
    """What helm prints."""
    command = [str(tool("helm")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def template(values: dict[str, str], *more: str) -> str:
    """The manifests that these values make."""
    given = [f"--set={name}={value}" for name, value in values.items()]
    return helm("template", "modelyard", str(CHART), "--namespace=modelyard", *given, *more)


def documents(text: str) -> list[dict[str, Any]]:
    """The manifests of a text."""
    return [document for document in yaml.safe_load_all(text) if document]
