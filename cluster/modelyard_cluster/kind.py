"""The Kubernetes cluster: kind's, with a worker that offers GPUs to the scheduler."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import engine as engines
from .cache import REPOSITORY, binary_folder, exclusive, state_folder
from .console import say
from .engine import Engine
from .node_image import node_image
from .shell import CommandFailed, run, succeeds
from .tools import tool

DEFAULT_NAME = "modelyard"
GPUS = 4
GPU_RESOURCE = "nvidia.com/gpu"
_CONFIGURATION = REPOSITORY / "kind-config.yaml"
_KUBECTL_LINK = Path("/usr/local/bin/kubectl")
_READY_SECONDS = 180


@dataclass(frozen=True)
class Cluster:
    """A kind cluster: its name, the engine its nodes run in, and the kubeconfig that reaches it."""

    name: str
    engine: Engine
    kubeconfig: Path

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run `kubectl ARGUMENTS` on this cluster and return what it printed."""
        return run(tool("kubectl"), "--kubeconfig", self.kubeconfig, *arguments, stdin=stdin)

    @property
    def control_plane(self) -> str:
        """The control plane's node, which is its container's name as well."""
        return f"{self.name}-control-plane"

    def workers(self) -> list[str]:
        """The workers' nodes, in order; their containers have the same names."""
        return sorted(name for name in _containers(self.engine, self.name) if name != self.control_plane)


def up(name: str = DEFAULT_NAME, *, workers: int = 1, gpus: int = GPUS) -> Cluster:
    """A cluster of that name, healthy, with that many workers; made anew unless it is there already.

    The default cluster becomes the current context of the person's kubeconfig; any other touches only its own.
    """
    engine = engines.up()
    image = node_image(engine)
    cluster = Cluster(name, engine, _kubeconfig(name))
    with exclusive(state_folder() / f"{name}.lock"):
        if not _is_healthy(cluster, image, workers):
            _delete(engine, name)
            _create(cluster, image, workers)
            _wait(f"the nodes of cluster {name} to be ready", lambda: _all_ready(cluster, workers + 1))
    for node in cluster.workers():
        offer_gpus(cluster, node, gpus)
    return cluster


def attach(name: str = DEFAULT_NAME) -> Cluster:
    """A cluster that runs already.

    Raises:
        CommandFailed: there is no engine, or no such cluster.
    """
    engine = engines.running()
    if engine is None or not _kubeconfig(name).exists():
        raise CommandFailed(f"There is no cluster named {name}; `modelyard_cluster kind up` makes one.")
    return Cluster(name, engine, _kubeconfig(name))


def down(name: str = DEFAULT_NAME) -> None:
    """Delete the cluster and what of it stands in kubeconfigs; the engine goes on."""
    if (engine := engines.running()) is not None:
        if left := _containers(engine, name):
            engine.docker("rm", "--force", "--volumes", *left)
        if (binary_folder() / "kind").exists():
            _delete(engine, name)
    _kubeconfig(name).unlink(missing_ok=True)
    if name == DEFAULT_NAME:
        _forget_context(f"kind-{name}")
        if _KUBECTL_LINK.is_symlink() and _KUBECTL_LINK.readlink().parent == binary_folder():
            _KUBECTL_LINK.unlink()


def names() -> list[str]:
    """The clusters that there are, or that left something."""
    containers: list[str] = []
    if (engine := engines.running()) is not None:
        template = '{{.Label "io.x-k8s.kind.cluster"}}'
        containers = engine.docker(
            "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster", "--format", template
        ).split()
    return sorted({DEFAULT_NAME, *containers, *(file.stem for file in state_folder().glob("*.kubeconfig"))})


def offer_gpus(cluster: Cluster, node: str, count: int) -> None:
    """Let the scheduler count `count` GPUs on a node. A restart of its kubelet can undo it: call again."""
    escaped = GPU_RESOURCE.replace("/", "~1")
    patch = [
        {"op": "add", "path": f"/status/{kind}/{escaped}", "value": str(count)} for kind in ("capacity", "allocatable")
    ]
    cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))


def _create(cluster: Cluster, image: str, workers: int) -> None:
    start = time.monotonic()
    say(f"  creating cluster {cluster.name} of {workers + 1} nodes from {image}")
    # kind-config.yaml ends with its list of nodes, one worker among them.
    configuration = _CONFIGURATION.read_text() + "  - role: worker\n" * (workers - 1)
    _kind(
        cluster.engine,
        "create",
        "cluster",
        f"--name={cluster.name}",
        f"--image={image}",
        "--config=-",
        *(() if cluster.name == DEFAULT_NAME else (f"--kubeconfig={cluster.kubeconfig}",)),
        stdin=configuration,
    )
    cluster.kubeconfig.write_text(_kind(cluster.engine, "get", "kubeconfig", f"--name={cluster.name}"))
    cluster.kubeconfig.chmod(0o600)
    # A restarted engine makes the cluster anew: half a cluster that comes back by itself would be in the way.
    cluster.engine.docker("update", "--restart=no", *_containers(cluster.engine, cluster.name))
    if shutil.which("kubectl") is None:
        _KUBECTL_LINK.symlink_to(tool("kubectl"))
    say(f"  cluster {cluster.name} created in {time.monotonic() - start:.0f} s")


def _delete(engine: Engine, name: str) -> None:
    _kind(engine, "delete", "cluster", f"--name={name}")
    # kind deletes with a time limit of the engine's own; what is left would stop the next `create`.
    if left := _containers(engine, name):
        engine.docker("rm", "--force", "--volumes", *left)


def _kind(engine: Engine, *arguments: str, stdin: str | None = None) -> str:
    return run(tool("kind"), "--quiet", *arguments, env=engine.environment, stdin=stdin)


def _containers(engine: Engine, name: str) -> list[str]:
    label = f"label=io.x-k8s.kind.cluster={name}"
    return engine.docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()


def _is_healthy(cluster: Cluster, image: str, workers: int) -> bool:
    """Whether all of the cluster is there, made from `image`, and ready: at once, since whoever made it has waited."""
    label = f"label=io.x-k8s.kind.cluster={cluster.name}"
    running = cluster.engine.docker("ps", "--filter", label, "--filter", "status=running", "--format", "{{.Image}}")
    if running.split() != [image] * (workers + 1) or not cluster.kubeconfig.exists():
        return False
    try:
        return _all_ready(cluster, workers + 1)
    except CommandFailed:
        return False


def _all_ready(cluster: Cluster, expected: int) -> bool:
    template = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}'
    states = cluster.kubectl("get", "nodes", "--request-timeout=20s", "--output", f"jsonpath={template}").split()
    return states == ["True"] * expected


def _wait(what: str, done: Callable[[], bool], seconds: float = _READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise CommandFailed(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(0.5)


def _kubeconfig(name: str) -> Path:
    return state_folder() / f"{name}.kubeconfig"


def _forget_context(context: str) -> None:
    """Take the cluster out of the person's kubeconfig, and that away if it was the last: kind leaves an empty one."""
    file = Path(os.environ.get("KUBECONFIG", "") or Path.home() / ".kube" / "config")
    kubectl = binary_folder() / "kubectl"
    if not file.is_file() or not kubectl.exists():
        return
    config = (kubectl, "--kubeconfig", file, "config")
    for kind in ("context", "cluster", "user"):
        succeeds(*config, f"delete-{kind}", context)
    if run(*config, "view", "--output=jsonpath={.current-context}") == context:
        run(*config, "unset", "current-context")
    if not run(*config, "view", "--output=jsonpath={.clusters}{.users}{.contexts}").strip("[]nul"):
        file.unlink()
        home = Path.home() / ".kube"
        if file.parent == home:  # beside a kubeconfig in any other place, `cache` is somebody else's
            for cache in ("cache", "http-cache"):
                shutil.rmtree(home / cache, ignore_errors=True)
            if not any(home.iterdir()):
                home.rmdir()
