"""Modelyard on a cluster: its images built and brought there, and its chart installed with helm."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import images
from .cache import REPOSITORY
from .console import say
from .kind import Cluster
from .load import load
from .namespaces import restrict
from .shell import run
from .tools import ensure_tools, tool

NAMESPACE = "modelyard"
RELEASE = "modelyard"
_CHART = REPOSITORY / "helm" / "modelyard"


@dataclass(frozen=True)
class Installation:
    """What is installed, and where."""

    namespace: str
    release: str
    operator_image: str
    trainer_image: str


def install(
    cluster: Cluster,
    trainer_image: str,
    *,
    values: Mapping[str, Any] | None = None,
    namespace: str = NAMESPACE,
    release: str = RELEASE,
) -> Installation:
    """Have the chart installed as the repository holds it now; return once the operator is ready.

    Args:
        cluster: where to.
        trainer_image: what runs train with unless they name an image; it has to be in the nodes already.
        values: more values of the chart.
        namespace: the operator's own, made if need be; it admits `restricted` pods only.
        release: helm's name for it.
    """
    ensure_tools("helm")
    operator_image = images.build(cluster.engine, images.OPERATOR)
    load(cluster, operator_image, cluster.workers())
    restrict(cluster, namespace)
    start = time.monotonic()
    run(
        tool("helm"), "upgrade", "--install", release, _CHART, "--kubeconfig", cluster.kubeconfig,
        f"--namespace={namespace}", "--values=-", "--wait", "--timeout=180s",
        stdin=json.dumps({**_images(operator_image, trainer_image), **(values or {})}),
    )  # fmt: skip
    say(f"  installed {release} into namespace {namespace} in {time.monotonic() - start:.0f} s")
    return Installation(namespace, release, operator_image, trainer_image)


def _images(operator_image: str, trainer_image: str) -> dict[str, Any]:
    """Values that name images which no registry has. A run may name another, which is pulled."""
    return {
        "image": {**_parts(operator_image), "pullPolicy": "Never"},
        "trainer": {"image": {**_parts(trainer_image), "pullPolicy": "IfNotPresent"}},
    }


def _parts(image: str) -> dict[str, str]:
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}
