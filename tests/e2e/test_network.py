"""What a trainer connects to, on a network that lets it reach the store, the intake and the name server alone."""

from __future__ import annotations

import pytest

from tests.e2e.closed_network import closed
from tests.e2e.node import Node
from tests.e2e.other_pods import other_pod
from tests.e2e.yard import Yard

pytestmark = pytest.mark.disturbing

_CALL = "import socket, sys; socket.create_connection(('kubernetes.default.svc', 443), timeout=10)"


def test_a_run_needs_nothing_but_store_and_intake(yard: Yard, worker: Node) -> None:
    """It completes with every epoch counted; somebody else's connection from the same node is refused and seen."""
    address = yard.kubectl.within("default").get("endpoints", "kubernetes")["subsets"][0]
    server = f"{address['addresses'][0]['ip']}:{address['ports'][0]['port']}"
    with other_pod(yard, "caller") as caller:
        yard.kubectl("exec", caller, "--", "python", "-c", _CALL)
        with closed(yard, worker) as network:
            (run,) = yard.start(yard.quick("behind-a-closed-door").for_epochs(2))
            status = run.wait("Complete")
            assert network.tried() == []

            assert "refused" in yard.kubectl.refusal("exec", caller, "--", "python", "-c", _CALL)
            assert network.tried() == [server]

    assert status["progress"]["epoch"] == 2
