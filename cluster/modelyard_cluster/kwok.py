"""Simulated nodes and pods: kwok's own stages, with a run time for Jobs and pods that it leaves to the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .tools import source_folder

# kwok leaves pods alone that carry this label, or live in a namespace that begins so: their status is the test's.
BY_HAND = "by-hand"
BY_HAND_LABEL = "modelyard.dev/by-hand"
# A pod may set its own run time with this annotation, as kwok's general stages have it: "250ms", "1h".
RUN_TIME_ANNOTATION = "pod-complete.stage.kwok.x-k8s.io/delay"
NODE_ANNOTATION = "kwok.x-k8s.io/node"

_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
_PARALLELISM = 16


def configuration(pod_seconds: float) -> str:
    """The configuration file: nodes are Ready and pods Running at once, Jobs' pods Succeeded after `pod_seconds`."""
    folder = source_folder("sigs.k8s.io/kwok") / "kustomize" / "stage"
    stages = [_adapted(folder / name, pod_seconds) for name in _STAGES]
    options = f"""\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: {_PARALLELISM}
  nodePlayStageParallelism: {_PARALLELISM}
  nodeLeaseParallelism: {_PARALLELISM}
  podsOnNodeSyncParallelism: {_PARALLELISM}
"""
    return "---\n".join([options, *stages])


def arguments(kubeconfig: Path, configuration_file: Path) -> list[str]:
    """What kwok is called with: it plays only the nodes made by `node`."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={configuration_file}",
        f"--manage-nodes-with-annotation-selector={NODE_ANNOTATION}=fake",
        "--node-lease-duration-seconds=40",
        "--cidr=10.64.0.0/12",
    ]


def node(index: int, gpus: int, labels: Mapping[str, str]) -> dict[str, Any]:
    """A node `kwok-<index>` that offers `gpus` of nvidia.com/gpu and more of everything else than any test asks for."""
    name = f"kwok-{index}"
    capacity = {"cpu": "1k", "memory": "8Ti", "ephemeral-storage": "8Ti", "pods": "100k", "nvidia.com/gpu": str(gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {NODE_ANNOTATION: "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "type": "kwok",
                **labels,
            },
        },
        "status": {"capacity": capacity, "allocatable": capacity},
    }


def _adapted(stage: Path, pod_seconds: float) -> str:
    """One stage of the kwok module; the standard library reads no YAML, so lines are added at known places."""
    text = stage.read_text()
    if stage.stem in {"pod-ready", "pod-complete"}:
        text = _insert(text, "    matchExpressions:\n", after=True, what=f"""\
    - key: '.metadata.labels["{BY_HAND_LABEL}"]'
      operator: 'DoesNotExist'
    - key: '.metadata.namespace | select( startswith("{BY_HAND}") )'
      operator: 'DoesNotExist'
""")  # fmt: skip
    if stage.stem == "pod-complete":
        text = _insert(text, "  next:\n", after=False, what=f"""\
  delay:
    durationMilliseconds: {round(pod_seconds * 1000)}
    durationFrom:
      expressionFrom: '.metadata.annotations["{RUN_TIME_ANNOTATION}"]'
""")  # fmt: skip
    return text


def _insert(text: str, anchor: str, *, after: bool, what: str) -> str:
    if text.count(anchor) != 1:
        raise ValueError(f"kwok's stage has no single line `{anchor.strip()}`: its module has changed its layout.")
    return text.replace(anchor, anchor + what if after else what + anchor)
