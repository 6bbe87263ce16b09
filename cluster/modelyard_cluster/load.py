"""Bringing images from the engine into the nodes that run them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .console import say
from .kind import Cluster
from .link_layers import link_image
from .shell import CommandFailed


def load(cluster: Cluster, image: str, nodes: Iterable[str]) -> None:
    """Put an image into the nodes that do not hold this very image yet."""
    wanted = cluster.engine.image_id(image)
    for node in nodes:
        if _image_id(cluster, node, image) == wanted:
            continue
        start = time.monotonic()
        say(f"  loading {image} into {node}")
        if cluster.engine.data is not None:
            link_image(cluster.engine, cluster.engine.data, node, image)
        else:
            _stream(cluster, node, image)
        say(f"  loaded {image} into {node} in {time.monotonic() - start:.0f} s")


def _stream(cluster: Cluster, node: str, image: str) -> None:
    cluster.engine.pipe(
        ("save", image),
        ("exec", "--interactive", node, "ctr", "--namespace=k8s.io", "images", "import",
         "--local", "--discard-unpacked-layers", "--digests", "-"),
    )  # fmt: skip


def _image_id(cluster: Cluster, node: str, image: str) -> str | None:
    """The digest of the image's configuration in the node, which is its id in the engine as well."""
    try:
        return cluster.engine.docker(
            "exec", node, "crictl", "inspecti", "--output=go-template", "--template={{.status.id}}", image
        ).strip()
    except CommandFailed:
        return None
