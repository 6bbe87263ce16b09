"""A node of the kind cluster, and what can be done to it from below."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from modelyard_cluster.engine import Engine

from tests.e2e.kubectl import Object

_CUT, CLOSED = "modelyard_test", "modelyard_closed"
"""Tables of the node's packet filter that tests make."""


@dataclass(frozen=True)
class Node:
    """One node, which is a container of the engine."""

    engine: Engine
    name: str

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Run a program there and return what it printed."""
        interactive = ["--interactive"] if stdin is not None else []
        return self.engine.docker("exec", *interactive, self.name, *words, stdin=stdin)

    def kill_container(self, container: str) -> None:
        """SIGKILL to a container's first process, as a kernel without memory would; `container` is its ID."""
        self._signal("SIGKILL", container)

    def kill_containers_named(self, name: str) -> None:
        """The same to every running container of that name, such as `etcd`."""
        containers = self("crictl", "ps", "--quiet", "--name", f"^{name}$").split()
        assert containers, f"no container named {name} runs on {self.name}"
        for container in containers:
            self.kill_container(container)

    @contextmanager
    def frozen(self, container: str) -> Iterator[None]:
        """A container's first process stands still during the block, and then goes on as if no time had passed."""
        self._signal("SIGSTOP", container)
        try:
            yield
        finally:
            self._signal("SIGCONT", container)

    def let_through(self) -> None:
        """Take away what tests that were killed have left in its packet filter."""
        rules = "".join(f"add table ip {table}; delete table ip {table};\n" for table in (_CUT, CLOSED))
        self("nft", "--file", "-", stdin=rules)

    @contextmanager
    def service_stopped(self, name: str) -> Iterator[None]:
        """A service of systemd's, such as `kubelet`, does not run during the block."""
        self("systemctl", "stop", name)
        try:
            yield
        finally:
            self("systemctl", "start", name)

    @contextmanager
    def cut_off(self, address: str) -> Iterator[None]:
        """During the block the node's pods and the rest of the world lose every packet from and to that address."""
        with self._forwarding(f"ip saddr {address} drop; ip daddr {address} drop;"):
            yield

    @contextmanager
    def slowed_down(self, address: str, *, mebibytes_a_second: int) -> Iterator[None]:
        """During the block the node's pods together get no more than so much through to that address."""
        rate = f"{mebibytes_a_second} mbytes/second"
        with self._forwarding(f"ip daddr {address} limit rate over {rate} burst 256 kbytes drop;"):
            yield

    def _signal(self, name: str, container: str) -> None:
        self("ctr", "-n", "k8s.io", "task", "kill", "-s", name, container)

    @contextmanager
    def _forwarding(self, rules: str) -> Iterator[None]:
        """Have these rules for what the node forwards during the block."""
        table = f"""
            table ip {_CUT} {{
              chain forward {{ type filter hook forward priority filter; policy accept; {rules} }}
            }}
        """
        self("nft", "--file", "-", stdin=table)
        try:
            yield
        finally:
            self("nft", "delete", "table", "ip", _CUT)


def place_of(pod: Object, engine: Engine) -> tuple[Node, str]:
    """The node that a pod runs on, and the ID of its one container there."""
    (container,) = pod["status"]["containerStatuses"]
    return Node(engine, pod["spec"]["nodeName"]), container["containerID"].removeprefix("containerd://")
