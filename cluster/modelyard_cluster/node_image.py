"""kind's node image: the stock one where an image registry is in reach, else one made of packages and Go modules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .cache import REPOSITORY, binary_folder, fingerprint
from .console import say
from .engine import Engine
from .images import build_in, debian_base, link_programs, scratch_folder
from .shell import run
from .tools import ensure_tools, program_fingerprint, source_folder
from .toolsets import PROGRAMS

NODE_FOLDER = REPOSITORY / "cluster" / "node"
_NODE_PROGRAMS = ("kubelet", "kubeadm", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "crictl")
_IMAGE_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "etcd",
    "coredns",
    "local-path-provisioner",
)
PROGRAMS_INSIDE = (*_NODE_PROGRAMS, *_IMAGE_PROGRAMS)
# What node/*.yaml calls the images that kind's own manifests have under other names.
_OWN_IMAGES = {
    "shell": "docker.io/modelyard/shell:node",
    "local-path-provisioner": "docker.io/modelyard/local-path-provisioner:node",
}


@dataclass(frozen=True)
class _ControlPlaneImage:
    """An image that the node holds: its name, its stage in images.Dockerfile, and the program of it."""

    name: str
    stage: str
    program: str


def kubernetes_version() -> str:
    return PROGRAMS["kubelet"].version


def available_node_image(engine: Engine) -> str | None:
    """The node image that is here, or is there to be fetched; None where it has to be made."""
    stock = f"kindest/node:{kubernetes_version()}"
    for name in (stock, _own_name()):
        if engine.has_image(name):
            return name
    return stock if engine.can_pull(stock) else None


def node_image(engine: Engine) -> str:
    """The name of an image that `kind create cluster --image` takes, made first if need be."""
    return available_node_image(engine) or _make(engine)


def _own_name() -> str:
    programs = map(program_fingerprint, ("kind", *PROGRAMS_INSIDE))
    return f"modelyard-node:{fingerprint([NODE_FOLDER], *programs)[:12]}"


def _make(engine: Engine) -> str:
    ensure_tools(*PROGRAMS_INSIDE)
    base, tag = debian_base(engine), _own_name()
    with scratch_folder() as context:
        kind_files = context / "kind"
        shutil.copytree(source_folder("sigs.k8s.io/kind") / "images/base/files", kind_files)
        shutil.copytree(NODE_FOLDER, context / "node")
        link_programs(context / "bin", _NODE_PROGRAMS)
        say("  building the control plane's images")
        _save_control_plane(engine, base, kind_files, context / "images.tar")
        say(f"  building {tag}")
        build_in(engine, context, "node/Dockerfile", tag, BASE_IMAGE=base, KUBERNETES_VERSION=kubernetes_version())
    engine.keep_only(tag)
    return tag


def _save_control_plane(engine: Engine, base: str, kind_files: Path, archive: Path) -> None:
    """Build the images that kubeadm and node/*.yaml ask for, and put them into one archive."""
    images = list(_control_plane_images(kind_files))
    with scratch_folder() as context:
        link_programs(context, _IMAGE_PROGRAMS)
        _build_pause(context / "pause")
        shutil.copy(NODE_FOLDER / "images.Dockerfile", context / "Dockerfile")
        for image in images:
            build_in(
                engine, context, "Dockerfile", image.name, target=image.stage, BASE_IMAGE=base, PROGRAM=image.program
            )
    names = [image.name for image in images]
    engine.docker("save", "--output", archive, *names)
    engine.docker("rmi", "--no-prune", *names)


def _build_pause(program: Path) -> None:
    with scratch_folder() as caches:
        environment = {"CGO_ENABLED": "0", "GOCACHE": str(caches), "XDG_CONFIG_HOME": str(caches)}
        run(
            "go",
            "build",
            "-trimpath",
            "-ldflags",
            "-s -w",
            "-o",
            program,
            ".",
            cwd=NODE_FOLDER / "pause",
            env=environment,
        )


def _control_plane_images(kind_files: Path) -> Iterable[_ControlPlaneImage]:
    """What must be in the node: kubeadm's list, the pause image of kind's containerd configuration, and our own."""
    listed = run(binary_folder() / "kubeadm", "config", "images", "list", "--kubernetes-version", kubernetes_version())
    for name in listed.split():
        program = name.rsplit("/", 1)[-1].split(":")[0]
        if program != "pause":
            stage = program if program in {"coredns", "kube-proxy"} else "kubernetes"
            yield _ControlPlaneImage(name, stage, program)
    configuration = (kind_files / "etc/containerd/config.toml").read_text()
    for name in re.findall(r'sandbox_image\s*=\s*"(\S+)"', configuration):
        yield _ControlPlaneImage(name, "pause", "pause")
    for stage, name in _OWN_IMAGES.items():
        yield _ControlPlaneImage(name, stage, stage)
