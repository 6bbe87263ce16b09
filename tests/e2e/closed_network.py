"""A network whose pods reach the store, the intake and the name server alone: what a NetworkPolicy asks for.

The plain bridge of the tests' cluster enforces no NetworkPolicy, so that the node's own packet filter does it here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.node import CLOSED, Node
from tests.e2e.yard import Yard

_STORE, _INTAKE = 7070, 8443


@dataclass(frozen=True)
class ClosedNetwork:
    """The network of one node's pods, but for the operator's own."""

    node: Node

    def tried(self) -> list[str]:
        """ADDRESS:PORT of everything else that a pod has tried to reach; without a port where there is none."""
        listed = json.loads(self.node("nft", "--json", "list", "table", "ip", CLOSED))
        found = [each for entry in listed["nftables"] for each in entry.get("set", {}).get("elem", [])]
        return sorted(":".join(map(str, each["concat"])) if isinstance(each, dict) else each for each in found)


@contextmanager
def closed(yard: Yard, worker: Node) -> Iterator[ClosedNetwork]:
    """Refuse what the worker's pods have no business with, and remember it, for as long as the block lasts."""
    pods = yard.kubectl.get("node", worker.name)["spec"]["podCIDR"]
    operators = _addresses(yard, yard.installation.namespace)
    rules = f"""
        table ip {CLOSED} {{
          set tried {{ type ipv4_addr . inet_service; flags dynamic; size 1024; }}
          set portless {{ type ipv4_addr; flags dynamic; size 1024; }}
          chain from_pods {{
            ct state established,related accept
            ip saddr {operators} accept
            ip daddr {_addresses(yard, "modelyard-storage")} tcp dport {_STORE} accept
            ip daddr {operators} tcp dport {_INTAKE} accept
            ip daddr {_addresses(yard, "kube-system", "k8s-app=kube-dns")} th dport 53 accept
            meta l4proto {{ tcp, udp }} add @tried {{ ip daddr . th dport }} reject
            add @portless {{ ip daddr }} reject
          }}
          chain forward {{ type filter hook forward priority filter; ip saddr {pods} jump from_pods; }}
          chain input {{ type filter hook input priority filter; ip saddr {pods} jump from_pods; }}
        }}
    """
    worker("nft", "--file", "-", stdin=rules)
    try:
        yield ClosedNetwork(worker)
    finally:
        worker("nft", "delete", "table", "ip", CLOSED)


def _addresses(yard: Yard, namespace: str, selector: str = "") -> str:
    """The pods' addresses as nft writes a set."""
    pods: Sequence[str] = [pod["status"]["podIP"] for pod in yard.kubectl.within(namespace).all("pods", selector)]
    assert pods, f"no pods in {namespace}"
    return f"{{ {', '.join(pods)} }}"
