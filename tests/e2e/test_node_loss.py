"""A node that is gone for good, as far as anyone can tell: the operator's leader and a trainer with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from modelyard_cluster.kind import offer_gpus
from modelyard_cluster.load import load

from tests.e2e.kubectl import Object
from tests.e2e.node import Node
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.yard import GPUS, Yard

pytestmark = [pytest.mark.long, pytest.mark.disturbing]

_EPOCHS = 150
"""Of a second: a minute passes before the API server gives the node up, and two trainers train after that."""
_FOR_CONTROL_PLANES = "node-role.kubernetes.io/control-plane"
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=lost:NoExecute"


def test_a_node_is_lost_while_its_containers_live_on(yard: Yard, worker: Node, control_plane: Node) -> None:
    """Both are replaced on another node; the lost trainer trains to its end, and nobody ever sees what it made."""
    story = yard.quick("outlives-its-node").for_epochs(_EPOCHS).having(1, "checkpoints", "everyEpochs")
    (run,) = yard.start(story)
    run.until_epoch(2)
    lost_pod = run.pod()["metadata"]["uid"]
    with open_to_pods(yard, control_plane), lost(yard, worker):
        status = run.until("a second attempt that trains", _second_one_trains, 240)
        assert (status["attempts"][0]["reason"], status.get("retries", 0)) == ("Interrupted", 0), status["attempts"]
        assert status["attempts"][1]["resumedFromEpoch"] >= 2

        status = run.wait("Complete", 400)
        assert ended_in_vain(worker, lost_pod)

    assert_nothing_lost(yard, run, status, attempts=2, epochs=_EPOCHS)
    assert lost_pod not in status["artifactsUri"]


@contextmanager
def open_to_pods(yard: Yard, control_plane: Node) -> Iterator[None]:
    """The control plane takes runs, and the operator, for as long as the block lasts."""
    load(yard.cluster, yard.image, [control_plane.name])
    load(yard.cluster, yard.installation.operator_image, [control_plane.name])
    offer_gpus(yard.cluster, control_plane.name, GPUS)
    yard.kubectl("taint", "node", control_plane.name, f"{_FOR_CONTROL_PLANES}:NoSchedule-")
    try:
        yield
    finally:
        offer_gpus(yard.cluster, control_plane.name, 0)
        yard.kubectl("taint", "node", control_plane.name, f"{_FOR_CONTROL_PLANES}:NoSchedule")
        yard.operator("rollout", "restart", yard.operator_deployment)
        yard.operator("rollout", "status", yard.operator_deployment, "--timeout=120s", timeout=150)


@contextmanager
def lost(yard: Yard, node: Node) -> Iterator[None]:
    """Nothing is heard of the node any more, and somebody says that it is out of service; its containers live on."""
    with node.service_stopped("kubelet"):
        yard.kubectl.wait(f"node/{node.name}", "condition=Ready=Unknown", 150)
        yard.kubectl("taint", "node", node.name, _OUT_OF_SERVICE)
        try:
            yield
        finally:
            yard.kubectl("taint", "node", node.name, f"{_OUT_OF_SERVICE}-")
    yard.kubectl.wait(f"node/{node.name}", "condition=Ready", 150)
    offer_gpus(yard.cluster, node.name, GPUS)


def ended_in_vain(node: Node, pod_uid: str) -> bool:
    """Whether the trainer of that pod, of which only the node knows any more, has ended and not with success."""
    (container,) = node("crictl", "ps", "--all", "--quiet", "--label", f"io.kubernetes.pod.uid={pod_uid}").split()
    state = node(
        "crictl", "inspect", "--output=go-template", "--template={{.status.state}} {{.status.exitCode}}", container
    )
    return state.split()[0] == "CONTAINER_EXITED" and state.split()[1] != "0"


def _second_one_trains(status: Object) -> bool:
    return bool(status["currentAttempt"] == 2 and status["attempts"][-1].get("epoch"))
