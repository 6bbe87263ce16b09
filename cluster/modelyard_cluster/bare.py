"""A Kubernetes control plane as plain processes on loopback: a real API server in seconds, for tests and benchmarks.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler, and kwok for nodes and pods where they are wanted.
There is no kubelet: pods run only as far as kwok plays them (see kwok.py), or as a test sets their status (by_hand.py).
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import kwok
from .cache import binary_folder
from .console import say
from .daemons import Daemon, DaemonFailed, free_ports, kill_left_over, runs_program
from .kube_api import ApiError, KubeApi
from .pki import KeyPair, make_authority, make_server_certificate, make_signing_key
from .shell import run
from .tools import ensure_tools

ISSUER = "https://kubernetes.default.svc.cluster.local"

# The stock limits (20 requests a second, 5 Jobs at once) would be what a benchmark of an operator measures.
CONTROLLER_MANAGER_LIMITS = ("--kube-api-qps=500", "--kube-api-burst=1000", "--concurrent-job-syncs=50")
SCHEDULER_LIMITS = {"qps": 500, "burst": 1000}

_RECORD = "processes.json"


@dataclass(frozen=True)
class BareOptions:
    """What a control plane is started with.

    Attributes:
        kwok_nodes: how many simulated nodes there are; with 0, kwok is not started.
        gpus_per_node: how many `nvidia.com/gpu` each of them offers.
        node_labels: labels that each of them carries besides the usual ones.
        pod_seconds: after how long a Job's pod succeeds there; a pod's own annotation (kwok.RUN_TIME_ANNOTATION) wins.
        fsync: whether etcd waits for the disk. Benchmarks that turn it off have to say so.
        api_server_flags: further flags for kube-apiserver.
        outlive: whether the processes go on after the one that started them; see daemons.Daemon.
        ready_seconds: how long to wait before giving up.
    """

    kwok_nodes: int = 0
    gpus_per_node: int = 8
    node_labels: Mapping[str, str] = field(default_factory=dict)
    pod_seconds: float = 1.0
    fsync: bool = True
    api_server_flags: tuple[str, ...] = ()
    outlive: bool = False
    ready_seconds: float = 120.0


class BareControlPlane:
    """A running control plane. Made by `bare_control_plane`.

    Attributes:
        folder: everything it keeps: keys, configuration, etcd's data, a log for each process.
        url: the API server, https on 127.0.0.1.
        ca_file: PEM of the authority that signed its certificate; `ca` is its text.
        admin_token: a bearer token of the group system:masters.
        signing: the key that service account tokens are signed with.
        kubeconfig: for kubectl and clients, with that token.
        api: a client with that token.
        daemons: the processes by program name, in order of their start, to be stopped, paused and started by tests.
        start_seconds: how long the start took, from the first process to the last node being ready.
    """

    def __init__(self, folder: Path, options: BareOptions) -> None:
        self.folder = folder.resolve()
        self._options = options
        self._programs = ensure_tools(*_programs(options))
        for fresh in (self.folder / "pki", self.folder / "logs"):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
        self._ports = dict(zip(("etcd", "peer", "api", "manager", "scheduler"), free_ports(5), strict=True))
        self.url = f"https://127.0.0.1:{self._ports['api']}"
        self.admin_token = secrets.token_urlsafe(32)
        authority = make_authority(self.folder / "pki", "modelyard-bare")
        self._serving = make_server_certificate(
            self.folder / "pki",
            authority,
            "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1",
        )
        self.signing: KeyPair = make_signing_key(self.folder / "pki")
        self.ca_file = authority.certificate
        self.ca = self.ca_file.read_text()
        self.kubeconfig = self.write_kubeconfig(self.folder / "kubeconfig", self.admin_token)
        self.api = KubeApi(self.url, self.ca, self.admin_token)
        self.daemons: dict[str, Daemon] = {}
        self.start_seconds = 0.0

    def start(self) -> None:
        """Start everything and return once it is ready.

        Raises:
            DaemonFailed: a process ended; the message holds the end of its log.
            TimeoutError: something was not ready in time.
        """
        begun = time.monotonic()
        deadline = begun + self._options.ready_seconds
        shutil.rmtree(self._etcd_data, ignore_errors=True)
        self._launch("etcd", self._etcd())
        self._launch("kube-apiserver", self._api_server())
        self._await("the API server is ready", self._api_is_ready, deadline)
        self._launch("kube-controller-manager", self._controller_manager())
        self._launch("kube-scheduler", self._scheduler())
        if self._options.kwok_nodes:
            self._launch("kwok", self._kwok())
            for index in range(self._options.kwok_nodes):
                self.api.post("/api/v1/nodes", kwok.node(index, self._options.gpus_per_node, self._options.node_labels))
        self.wait_for_service_account("default", deadline - time.monotonic())
        for component in ("manager", "scheduler"):
            self._await(f"the {component} is ready", partial(self._is_healthy, self._ports[component]), deadline)
        self._await("every node is ready", self._nodes_are_ready, deadline)
        self.start_seconds = time.monotonic() - begun

    def stop(self) -> None:
        """End every process at once, the last started first, and remove etcd's data; the logs stay."""
        for daemon in reversed(self.daemons.values()):
            daemon.stop()
        shutil.rmtree(self._etcd_data, ignore_errors=True)

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Wait for the API server, say after a test has started it again. Raises as `start`."""
        self._await("the API server is ready", self._api_is_ready, time.monotonic() + seconds)

    def wait_for_service_account(self, namespace: str, seconds: float = 60.0) -> None:
        """Wait until the namespace has its `default` account, without which it takes no pod. Raises as `start`."""
        is_there = partial(self._has_service_account, namespace)
        self._await(f"namespace {namespace} has a service account", is_there, time.monotonic() + seconds)

    def client(self, token: str) -> KubeApi:
        """A client with another token."""
        return KubeApi(self.url, self.ca, token)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises shell.CommandFailed."""
        return run(self._programs / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin)

    def write_kubeconfig(self, path: Path, token: str, server: str | None = None) -> Path:
        """A kubeconfig with another token, for its owner alone, that leads here or to what stands before it."""
        path.touch(mode=0o600)
        path.write_text(_kubeconfig(server or self.url, self.ca, token))
        return path

    def service_account_token(
        self, namespace: str, name: str, *, audience: str | None = None, pod: str | None = None, seconds: int = 3600
    ) -> str:
        """A token as the kubelet would project it: for `audience` (the API server's own by default), bound to `pod`."""
        spec: dict[str, Any] = {"audiences": [audience] if audience else [], "expirationSeconds": seconds}
        if pod is not None:
            uid = self.api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")["metadata"]["uid"]
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
        answer = self.api.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        return str(answer["status"]["token"])

    def _launch(self, name: str, arguments: list[str]) -> None:
        log = self.folder / "logs" / f"{name}.log"
        daemon = Daemon(name, [self._programs / name, *arguments], log, outlive=self._options.outlive)
        self.daemons[name] = daemon
        daemon.start()

    def _await(self, what: str, is_so: Callable[[], bool], deadline: float) -> None:
        while not is_so():
            for daemon in self.daemons.values():
                daemon.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Waited in vain until {what}; the logs are in {self.folder / 'logs'}.")
            time.sleep(0.05)

    def _api_is_ready(self) -> bool:
        try:
            return self.api.read("/readyz", timeout_seconds=2.0) == "ok"
        except (ApiError, OSError):
            return False

    def _has_service_account(self, namespace: str) -> bool:
        try:
            self.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except ApiError as refusal:
            if refusal.code != 404:
                raise
            return False
        return True

    def _is_healthy(self, port: int) -> bool:
        try:
            return KubeApi(f"https://127.0.0.1:{port}", self.ca, self.admin_token).read("/healthz") == "ok"
        except (ApiError, OSError):
            return False

    def _nodes_are_ready(self) -> bool:
        nodes = self.api.get("/api/v1/nodes")["items"]
        return all(_is_ready(node) and not node["spec"].get("taints") for node in nodes)

    @property
    def _etcd_data(self) -> Path:
        return self.folder / "etcd"

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        return [
            f"--data-dir={self._etcd_data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
            *([] if self._options.fsync else ["--unsafe-no-fsync"]),
        ]

    def _api_server(self) -> list[str]:
        tokens = self.folder / "pki" / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.admin_token},admin,admin,"system:masters"\n')
        return [
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # There is no pod network in which a Service `kubernetes` could have endpoints.
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._ports['api']}",
            *self._tls_flags(),
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-signing-key-file={self.signing.key}",
            f"--service-account-key-file={self.signing.certificate}",
            *self._options.api_server_flags,
        ]

    def _controller_manager(self) -> list[str]:
        return [
            *self._component_flags("manager"),
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self.signing.key}",
            f"--root-ca-file={self.ca_file}",
            *CONTROLLER_MANAGER_LIMITS,
        ]

    def _scheduler(self) -> list[str]:
        configuration = self.folder / "scheduler.json"
        configuration.write_text(
            json.dumps(
                {
                    "apiVersion": "kubescheduler.config.k8s.io/v1",
                    "kind": "KubeSchedulerConfiguration",
                    "clientConnection": {"kubeconfig": str(self.kubeconfig), **SCHEDULER_LIMITS},
                    "leaderElection": {"leaderElect": False},
                }
            )
        )
        return [*self._component_flags("scheduler"), f"--config={configuration}"]

    def _component_flags(self, component: str) -> list[str]:
        """Serving with our certificate, and asking the API server who may read the metrics."""
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports[component]}",
            *self._tls_flags(),
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
        ]

    def _tls_flags(self) -> list[str]:
        return [f"--tls-cert-file={self._serving.certificate}", f"--tls-private-key-file={self._serving.key}"]

    def _kwok(self) -> list[str]:
        configuration = self.folder / "kwok.yaml"
        configuration.write_text(kwok.configuration(self._options.pod_seconds))
        return kwok.arguments(self.kubeconfig, configuration)


@contextmanager
def bare_control_plane(folder: Path, options: BareOptions | None = None) -> Iterator[BareControlPlane]:
    """A control plane for as long as the block lasts; `folder` keeps its logs afterwards.

    Raises:
        DaemonFailed, TimeoutError: as BareControlPlane.start; nothing is left running.
    """
    plane = BareControlPlane(folder, options or BareOptions())
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def bring_up(folder: Path, options: BareOptions) -> Path:
    """Start a control plane that goes on after us, or find the one in `folder` already running.

    Returns:
        The path of its kubeconfig.
    """
    left = _left_over(folder)
    if left and all(runs_program(pid, program) for pid, program in left):
        say(f"A control plane is already up in {folder}.")
        return folder / "kubeconfig"
    bring_down(folder)
    plane = BareControlPlane(folder, options)
    try:
        plane.start()
    except (DaemonFailed, TimeoutError, KeyboardInterrupt):
        plane.stop()
        raise
    (folder / _RECORD).write_text(json.dumps({name: daemon.pid for name, daemon in plane.daemons.items()}))
    say(f"Kubernetes {plane.api.get('/version')['gitVersion']} is ready after {plane.start_seconds:.1f} s.")
    return plane.kubeconfig


def bring_down(folder: Path) -> None:
    """End the control plane that `bring_up` started in `folder`, and remove the folder."""
    for pid, program in reversed(_left_over(folder)):
        kill_left_over(pid, program)
    shutil.rmtree(folder, ignore_errors=True)


def _left_over(folder: Path) -> list[tuple[int, Path]]:
    """The processes that `bring_up` noted in `folder`, in order of their start; they may have ended since."""
    record = folder / _RECORD
    noted: dict[str, int] = json.loads(record.read_text()) if record.exists() else {}
    return [(pid, binary_folder() / name) for name, pid in noted.items()]


def _programs(options: BareOptions) -> tuple[str, ...]:
    always = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    return (*always, "kwok") if options.kwok_nodes else always


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _kubeconfig(url: str, ca: str, token: str) -> str:
    return f"""\
apiVersion: v1
kind: Config
current-context: modelyard-bare
clusters:
- name: modelyard-bare
  cluster:
    server: {url}
    certificate-authority-data: {base64.b64encode(ca.encode()).decode()}
users:
- name: modelyard-bare
  user:
    token: {token}
contexts:
- name: modelyard-bare
  context:
    cluster: modelyard-bare
    user: modelyard-bare
"""
