"""What breaks beneath a run, on real nodes: the run ends as it would have ended, and nothing committed is lost."""

from __future__ import annotations

import time

import pytest

from tests.e2e.live_run import LiveRun, epochs_done
from tests.e2e.node import Node
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.yard import Yard

pytestmark = [pytest.mark.long, pytest.mark.disturbing]

LONG = 40
"""Epochs of a second: more than any of these faults lasts."""
_LONGER = 120
"""More than the kubelet takes to notice how full a disk is, which it measures once a minute."""


def test_the_api_server_and_etcd_are_killed_while_a_run_trains(yard: Yard, control_plane: Node) -> None:
    """Neither is there for a while: the pod trains on, and what it reports later is believed."""
    run = started(yard, "outlives-the-api-server")
    control_plane.kill_containers_named("etcd")
    control_plane.kill_containers_named("kube-apiserver")
    until_the_api_server_answers(yard)

    assert_nothing_lost(yard, run, run.wait("Complete"), attempts=1, epochs=LONG)


def test_a_node_is_drained(yard: Yard, worker: Node) -> None:
    """The eviction lets the pod save its state; the next attempt goes on there, and costs no retry."""
    run = started(yard, "outlives-a-drain")
    pods = "modelyard.dev/run=outlives-a-drain"
    try:
        yard.kubectl(
            *("drain", worker.name, f"--pod-selector={pods}", "--ignore-daemonsets", "--delete-emptydir-data"),
            *("--timeout=100s",),
        )
        status = run.until("a second attempt", lambda status: status["currentAttempt"] == 2)
        assert (status["attempts"][0]["reason"], status.get("retries", 0)) == ("Interrupted", 0)
    finally:
        yard.kubectl("uncordon", worker.name)

    status = run.wait("Complete")
    assert status["attempts"][1]["resumedFromEpoch"] == status["attempts"][0]["epoch"] >= 1
    assert_nothing_lost(yard, run, status, attempts=2, epochs=LONG)


def test_the_kubelet_of_its_node_stops_for_a_while(yard: Yard, worker: Node) -> None:
    """Its containers live on: the operator goes on hearing of epochs, and takes nothing for lost."""
    run = started(yard, "outlives-its-kubelet")
    with worker.service_stopped("kubelet"):
        before = epochs_done(run.status)
        run.until_epoch(before + 5)

    assert_nothing_lost(yard, run, run.wait("Complete"), attempts=1, epochs=LONG)


def test_the_network_of_its_pod_is_cut_for_a_while(yard: Yard, worker: Node) -> None:
    """A trainer that cannot report trains on; what it has to say it says later, and the checkpoints follow."""
    (run,) = yard.start(yard.quick("outlives-its-network").for_epochs(LONG).having(1, "checkpoints", "everyEpochs"))
    run.until_checkpoint(2)
    with worker.cut_off(run.pod()["status"]["podIP"]):
        before = run.status
        heard, safe = epochs_done(before), before["checkpoint"]["epoch"]
        time.sleep(12)
        during = run.status
        assert epochs_done(during) <= heard + 1, "reports came through although the network was cut"
        assert during["checkpoint"]["epoch"] <= safe + 1

    run.until_epoch(heard + 8, seconds=30)
    run.until_checkpoint(heard + 8)
    assert_nothing_lost(yard, run, run.wait("Complete"), attempts=1, epochs=LONG)


def test_the_store_is_out_of_reach_while_a_run_trains_and_publishes(yard: Yard, worker: Node) -> None:
    """Epochs are counted all the same; the run is Complete only once the store is back and holds everything."""
    (run,) = yard.start(yard.quick("outlives-its-store").for_epochs(10).having(1, "checkpoints", "everyEpochs"))
    run.until_epoch(2)
    (server,) = yard.kubectl.within("modelyard-storage").all("pods")
    with worker.cut_off(server["status"]["podIP"]):
        run.until("its training to be over", lambda status: status["phase"] == "Uploading")
        time.sleep(5)
        assert run.status["phase"] == "Uploading"

    assert_nothing_lost(yard, run, run.wait("Complete"), attempts=1, epochs=10)


def test_the_s3_server_is_killed_in_the_middle_of_an_upload(yard: Yard, worker: Node, control_plane: Node) -> None:
    """A server that comes back with what it had is gone on with: the checkpoint arrives, and no part is left over."""
    story = (
        yard.quick("outlives-the-s3-server").of("linear-1000ms-carries-96MiB").having("768Mi", "resources", "memory")
    )
    (server,) = yard.kubectl.within("modelyard-storage").all("pods")
    with worker.slowed_down(server["status"]["podIP"], mebibytes_a_second=4):
        (run,) = yard.start(story.for_epochs(LONG).having(1, "checkpoints", "everyEpochs"))
        begun = until_it_uploads(yard, run)
        control_plane.kill_containers_named("s3")
    assert all("/checkpoints/ballast" in key for key in begun)

    run.until_checkpoint(1)
    status = run.wait("Complete")
    assert yard.store.unfinished(f"s3://models/vision/{run.name}/") == []
    assert_nothing_lost(yard, run, status, attempts=1, epochs=LONG)


def test_a_pod_that_fills_its_disk_is_evicted_and_followed_by_another(yard: Yard) -> None:
    """The kubelet evicts it for its own doing, so that it costs a retry; the next one goes on from its state."""
    (run,) = yard.start(
        yard.quick("outlives-a-full-disk")
        .for_epochs(_LONGER)
        .having("100Mi", "resources", "scratch")
        .having(1, "checkpoints", "everyEpochs")
    )
    run.until_checkpoint(1)
    pod = run.pod()["metadata"]["name"]
    yard.kubectl("exec", pod, "--", "python", "-c", "open('/scratch/filler', 'wb').write(bytes(150 << 20))")

    status = run.until("a second attempt", lambda status: status["currentAttempt"] == 2)
    assert (status["attempts"][0]["reason"], status["retries"]) == ("Evicted", 1)
    status = run.wait("Complete")
    assert status["attempts"][1]["resumedFromEpoch"] >= 1
    assert_nothing_lost(yard, run, status, attempts=2, epochs=_LONGER)


def test_a_checkpoint_with_a_flipped_bit_is_passed_over_for_the_one_before(yard: Yard) -> None:
    """Its digest does not hold: the run goes on from the checkpoint before, and ends as it would have ended."""
    story = yard.quick("outlives-a-flipped-bit").for_epochs(12).having(1, "checkpoints", "everyEpochs")
    (run,) = yard.start(story)
    run.until_checkpoint(3)
    run.set({"suspend": True})
    newest = run.wait("Suspended")["checkpoint"]
    state = newest["uri"].removesuffix(".json")
    (key,) = [each for each in yard.store.keys(state) if each.endswith(".state.json")]
    uri = f"s3://models/{key}"
    content = bytearray(yard.store.read(uri))
    content[len(content) // 2] ^= 1
    yard.store.write(uri, bytes(content))
    run.set({"suspend": False})

    status = run.wait("Complete")
    at = (newest["epoch"], newest.get("step", 0))
    assert 1 <= status["attempts"][1]["resumedFromEpoch"] <= at[0]
    assert (status["attempts"][1]["resumedFromEpoch"], 0) < at
    assert_nothing_lost(yard, run, status, attempts=2, epochs=12)


def test_a_namespace_is_deleted_with_a_run_in_it(yard: Yard) -> None:
    """Everything of it ends; what lies in the store stays, and the operator serves a namespace of that name again."""
    kubectl = yard.kubectl.within("short-lived")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}}
    secret = yard.kubectl.get("secret", "s3")
    copied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "data": secret["data"]}
    for name, epochs in (("first-life", 100_000), ("second-life", 2)):
        kubectl.apply(namespace)
        kubectl.apply(copied)
        kubectl.apply(yard.quick(name).for_epochs(epochs).in_namespace("short-lived").manifest())
        run = LiveRun(kubectl, yard.cluster, name)
        run.until_epoch(2)
        if epochs == 2:
            run.wait("Complete")
        kubectl("delete", "namespace", "short-lived", "--timeout=120s", timeout=150)

    assert [key for key in yard.store.keys("s3://models/short-lived/second-life/") if key.endswith("SHA256SUMS")]


def started(yard: Yard, name: str) -> LiveRun:
    """A run that has got somewhere."""
    (run,) = yard.start(yard.quick(name).for_epochs(LONG))
    run.until_epoch(2)
    return run


def until_it_uploads(yard: Yard, run: LiveRun, seconds: float = 60) -> list[str]:
    """The keys of what it uploads in parts, once there are any, and before its first checkpoint is safe."""
    deadline = time.monotonic() + seconds
    while not (begun := yard.store.unfinished(f"s3://models/vision/{run.name}/")):
        assert time.monotonic() < deadline, f"{run.name} does not upload anything in parts after {seconds} s"
        time.sleep(0.2)
    assert "checkpoint" not in run.status
    return begun


def until_the_api_server_answers(yard: Yard, seconds: float = 120) -> None:
    """Ready again, after having been away."""
    deadline = time.monotonic() + seconds
    while not yard.kubectl.succeeds("get", "--raw=/readyz"):
        assert time.monotonic() < deadline, f"the API server is not ready after {seconds} s"
        time.sleep(0.5)
