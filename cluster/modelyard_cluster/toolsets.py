"""The programs a cluster is made of, and the Go modules they come from; cluster/tools/*/go.mod has their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .cache import REPOSITORY

TOOLS_FOLDER = REPOSITORY / "cluster" / "tools"


@dataclass(frozen=True)
class ToolSet:
    """Programs built from one Go module, in the order in which they are wanted.

    Attributes:
        folder: the set's folder below cluster/tools, which holds its go.mod and go.sum.
        module: the Go module; go.mod says which version of it.
        programs: name of the installed program -> Go package of its `main`.
        stamps: Go variable -> the value linked into it; `{version}`, `{major}` and `{minor}` are filled in.
        sources: folders of the module that are kept beside the programs, for the files in them.
    """

    folder: str
    module: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def go_mod(self) -> Path:
        return TOOLS_FOLDER / self.folder / "go.mod"

    @property
    def version(self) -> str:
        """The module's version as go.mod has it, such as `v1.36.3`.

        Raises:
            LookupError: go.mod does not require the module.
        """
        found = re.search(rf"(?m)^(?:require)?\s*{re.escape(self.module)} (v\S+)", self.go_mod.read_text())
        if found is None:
            raise LookupError(f"{self.go_mod} does not require {self.module}.")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """What goes behind `-ldflags`: no symbol table, and the version under the names the programs look for."""
        version = self.version
        major, minor, *_ = version.removeprefix("v").split(".")
        values = {name: value.format(version=version, major=major, minor=minor) for name, value in self.stamps.items()}
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


# Unstamped, Kubernetes calls itself `v0.0.0-master+$Format:%H$`, which clients cannot parse.
_KUBERNETES_STAMPS = {
    f"{package}.{variable}": value
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for variable, value in {
        "gitVersion": "{version}",
        "gitMajor": "{major}",
        "gitMinor": "{minor}",
        "gitTreeState": "clean",
        "gitCommit": "",
    }.items()
}

TOOL_SETS: tuple[ToolSet, ...] = (
    ToolSet("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    ToolSet(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
                "kubelet",
                "kubeadm",
                "kube-proxy",
            )
        },
        stamps=_KUBERNETES_STAMPS,
    ),
    ToolSet("kind", "sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"}, sources=("images/base",)),
    ToolSet(
        "kind",
        "helm.sh/helm/v4",
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        stamps={"helm.sh/helm/v4/internal/version.version": "{version}"},
    ),
    ToolSet(
        "kind",
        "github.com/yannh/kubeconform",
        {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"},
        stamps={"main.version": "{version}"},
    ),
    ToolSet(
        "containerd",
        "github.com/containerd/containerd/v2",
        {
            name: f"github.com/containerd/containerd/v2/cmd/{name}"
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        },
        stamps={"github.com/containerd/containerd/v2/version.Version": "{version}"},
    ),
    ToolSet(
        "cri-tools",
        "sigs.k8s.io/cri-tools",
        {"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"},
        stamps={"sigs.k8s.io/cri-tools/pkg/version.Version": "{version}"},
    ),
    ToolSet(
        "versitygw",
        "github.com/versity/versitygw",
        {"versitygw": "github.com/versity/versitygw/cmd/versitygw"},
        stamps={"main.Version": "{version}"},
    ),
    ToolSet(
        "kwok",
        "sigs.k8s.io/kwok",
        {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        stamps={"sigs.k8s.io/kwok/pkg/consts.Version": "{version}"},
        sources=("kustomize/stage",),
    ),
    ToolSet("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}),
    ToolSet(
        "local-path-provisioner",
        "github.com/rancher/local-path-provisioner",
        {"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
        stamps={"main.VERSION": "{version}"},
        sources=("deploy",),
    ),
    ToolSet(
        "kube-score",
        "github.com/zegl/kube-score",
        {"kube-score": "github.com/zegl/kube-score/cmd/kube-score"},
        stamps={"main.version": "{version}"},
    ),
)

PROGRAMS: Mapping[str, ToolSet] = {name: tool_set for tool_set in TOOL_SETS for name in tool_set.programs}
