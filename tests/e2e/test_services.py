"""The cluster itself, where it is ours: what keeps a demo alive for longer than its training."""

from __future__ import annotations

import re
import time

from tests.e2e.node import Node
from tests.e2e.yard import Yard


def test_services_outlive_a_full_sync_of_kube_proxy(yard: Yard, worker: Node) -> None:
    """Once an hour, and whenever a node's zone changes, kube-proxy lists what it has written and removes the rest."""
    before = entries(worker)
    synced = full_syncs(worker)

    yard.kubectl("label", "node", worker.name, f"topology.kubernetes.io/zone=z{time.time_ns()}", "--overwrite")

    deadline = time.monotonic() + 60
    while full_syncs(worker) == synced:
        assert time.monotonic() < deadline, "kube-proxy has not synced in full after 60 s"
        time.sleep(0.5)
    assert len(before) >= 3
    assert entries(worker) >= before


def entries(worker: Node) -> set[str]:
    """The addresses, protocols and ports that lead to Services."""
    listed = worker("nft", "list", "map", "ip", "kube-proxy", "service-ips")
    return set(re.findall(r"(\S+ \. \w+ \. \d+) : goto", listed))


def full_syncs(worker: Node) -> int:
    """How often its kube-proxy has written everything anew, by its own count."""
    metrics = worker("curl", "--silent", "--fail", "http://127.0.0.1:10249/metrics")
    return sum(int(count) for count in re.findall(r"(?m)^kubeproxy_sync_full\w+_count\S* (\d+)$", metrics))
