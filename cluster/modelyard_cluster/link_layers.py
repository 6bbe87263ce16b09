"""Giving a node an image without copying it: its layers are hard links to those of our engine.

The trainer's image takes 6 GB. Streamed into a node it is written twice more, in a minute and a half; linked, it is
there in seconds. That works since the engine and its nodes keep their layers as plain folders on one file system, and
since nobody writes into a layer: not Docker, not containerd, and no container, whose writes go to a layer of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engine import Engine
from .shell import CommandFailed, run

_SNAPSHOTTER = "overlayfs"


@dataclass(frozen=True)
class Layer:
    """A layer in the engine: its own digest, that of it with all below, and the folder that holds its files."""

    diff_id: str
    chain_id: str
    folder: Path


def link_image(engine: Engine, data: Path, node: str, image: str) -> None:
    """Make `image` known to the node's containerd; its layers are links into `data`, where the engine keeps its own.

    Raises:
        CommandFailed: a program failed; the node may keep layers that no image uses.
    """
    described = json.loads(engine.docker("image", "inspect", image))[0]
    layers = layers_below(data, described["RootFS"]["Layers"])
    store = _containerd_store(engine, node)
    present = {line.split()[0] for line in _ctr(engine, node, "snapshots", "list").splitlines()}
    parent = ""
    for layer in layers:
        if layer.chain_id not in present:
            _link_layer(engine, node, store, layer, parent)
        parent = layer.chain_id
    configuration = (data / "image/overlay2/imagedb/content/sha256" / described["Id"].partition(":")[2]).read_bytes()
    archive = layout_without_layers(f"docker.io/library/{image}", configuration, [layer.diff_id for layer in layers])
    engine.docker(
        "exec", "--interactive", node, "ctr", "--namespace=k8s.io", "images", "import", "--local", "--no-unpack", "-",
        stdin=archive,
    )  # fmt: skip
    # Else containerd would take the layers for garbage once the node's image is all that speaks of them.
    _ctr(engine, node, "content", "label", described["Id"], f"containerd.io/gc.ref.snapshot.{_SNAPSHOTTER}={parent}")


def layers_below(data: Path, diff_ids: Sequence[str]) -> list[Layer]:
    """Where Docker keeps the layers; chain IDs are those of the OCI image specification, the same in containerd."""
    layers: list[Layer] = []
    for diff_id in diff_ids:
        chain_id = diff_id
        if layers:
            chain_id = "sha256:" + hashlib.sha256(f"{layers[-1].chain_id} {diff_id}".encode()).hexdigest()
        folder = (data / "image/overlay2/layerdb" / chain_id.replace(":", "/") / "cache-id").read_text()
        layers.append(Layer(diff_id, chain_id, data / "overlay2" / folder / "diff"))
    return layers


def _containerd_store(engine: Engine, node: str) -> Path:
    """The node's /var, which is a volume of the engine, as this machine sees it."""
    template = '{{range .Mounts}}{{if eq .Destination "/var"}}{{.Source}}{{end}}{{end}}'
    return Path(engine.docker("inspect", "--format", template, node).strip())


def _link_layer(engine: Engine, node: str, store: Path, layer: Layer, parent: str) -> None:
    key = f"link-{layer.chain_id}"
    # Removed first: an earlier attempt may have been cut off. `mounts` then tells which folder is to be filled.
    script = """
        ctr --namespace=k8s.io snapshots remove "$1" 2> /dev/null || true
        ctr --namespace=k8s.io snapshots prepare "$@" && ctr --namespace=k8s.io snapshots mounts /unused "$1"
    """
    mounts = engine.docker("exec", node, "sh", "-c", script, "sh", key, *([parent] if parent else []))
    # The upper folder of an overlay, or the only one of the lowest layer.
    place = re.search(r"upperdir=/var(/\S+?/fs)\b", mounts) or re.search(r"\s/var(/\S+?/fs)\b", mounts)
    if place is None:
        raise CommandFailed(f"containerd in {node} names no folder for a new layer in `{mounts.strip()}`.")
    run("cp", "--archive", "--link", f"{layer.folder}/.", f"{store}{place[1]}/")
    _ctr(engine, node, "snapshots", "commit", layer.chain_id, key)


def _ctr(engine: Engine, node: str, *arguments: str) -> str:
    return engine.docker("exec", node, "ctr", "--namespace=k8s.io", *arguments)


def layout_without_layers(name: str, configuration: bytes, diff_ids: Sequence[str]) -> bytes:
    """An OCI image layout, as a tar, of all but the layers: they are named by their own digests, their sizes unsaid."""
    config_descriptor = _descriptor("application/vnd.oci.image.config.v1+json", configuration)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config_descriptor,
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff_id, "size": 1}
                for diff_id in diff_ids
            ],
        }
    ).encode()
    platform = json.loads(configuration)
    manifest_descriptor = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest) | {
        "annotations": {"io.containerd.image.name": name},
        "platform": {"architecture": platform["architecture"], "os": platform["os"]},
    }
    index = {"schemaVersion": 2, "manifests": [manifest_descriptor]}
    files = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        f"blobs/{config_descriptor['digest'].replace(':', '/')}": configuration,
        f"blobs/{manifest_descriptor['digest'].replace(':', '/')}": manifest,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
