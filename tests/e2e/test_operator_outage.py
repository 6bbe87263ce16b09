"""The operator is killed, or down: what happens meanwhile is neither lost nor undone."""

from __future__ import annotations

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, epochs_done
from tests.e2e.node import place_of
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.yard import Yard

pytestmark = pytest.mark.disturbing


def test_an_operator_killed_midway_loses_nothing(yard: Yard) -> None:
    """The leader is killed while a run trains: its standby goes on within 15 s, and neither epoch nor file is lost."""
    (run,) = yard.start(yard.quick("outlives-a-kill").for_epochs(30))
    before = run.until_epoch(2)
    killed, at = yard.leader, time.monotonic()
    yard.operator("delete", "pod", killed, "--grace-period=0", "--force")
    _until_another_leads(yard, killed, at)
    assert epochs_done(run.until_epoch(epochs_done(run.status) + 1, seconds=20)) < 30

    status = run.wait("Complete")

    assert epochs_done(status) > epochs_done(before)
    _assert_all_there(yard, run, status, epochs=30)
    epochs = [epochs_done(each) for each in yard.watched.statuses(run.name)]
    assert epochs == sorted(epochs)


def test_what_happens_while_no_operator_runs_is_not_lost(yard: Yard) -> None:
    """No operator runs while one run ends, one is deleted and one goes on: it finds out all of it afterwards."""
    ends, deleted, goes_on = yard.start(
        yard.quick("ends-unseen").for_epochs(6),
        yard.quick("deleted-unseen").for_ever(),
        yard.quick("goes-on-unseen").for_epochs(40),
    )
    for run in (ends, deleted, goes_on):
        run.until_epoch(1)

    with yard.operator_down():
        deleted.delete()
        yard.kubectl.wait(f"job/{ends.jobs()[0]['metadata']['name']}", "condition=Complete", 60)
        deadline = time.monotonic() + 30
        while deleted.pods() or deleted.jobs():
            assert time.monotonic() < deadline, "a deleted run's pod is still there after 30 s"
            time.sleep(0.5)
        assert ends.status["phase"] == "Running"

    _assert_all_there(yard, ends, ends.wait("Complete"), epochs=6)
    _assert_all_there(yard, goes_on, goes_on.wait("Complete"), epochs=40)
    assert "NotFound" in yard.kubectl.refusal("get", "trun", deleted.name)


@pytest.mark.long
def test_a_leader_that_was_frozen_changes_nothing_afterwards(yard: Yard) -> None:
    """Its standby leads within 15 s, and does what there is to do; it wakes up to all of it, and does nothing again."""
    (known,) = yard.start(yard.quick("known-before").for_epochs(6).having({"required": True}, "approval"))
    known.until("a word on approval", lambda status: status.get("reason") == "WaitingForApproval")
    pod = yard.operator.get("pod", yard.leader)
    frozen = pod["metadata"]["name"]
    before = _writes_once_calm(yard, frozen)
    node, container = place_of(pod, yard.cluster.engine)
    with node.frozen(container):
        at = time.monotonic()
        known.set({"approval": {"required": True, "approved": True}})
        (new,) = yard.start(yard.quick("new-meanwhile").for_epochs(6))
        _until_another_leads(yard, frozen, at)
        for run in (known, new):
            run.until("its first attempt", lambda status: status.get("currentAttempt") == 1)

    for run in (known, new):
        _assert_all_there(yard, run, run.wait("Complete"), epochs=6)
        assert len(run.jobs()) == 1
    assert yard.leader not in (frozen, "")
    assert _writes(yard, frozen) == before
    assert place_of(yard.operator.get("pod", frozen), yard.cluster.engine)[1] == container


def _until_another_leads(yard: Yard, before: str, at: float) -> None:
    """`before` stopped working at that time."""
    while yard.leader in (before, ""):
        assert time.monotonic() < at + 15, f"{before} stopped 15 s ago, and no other leads"
        time.sleep(0.2)


def _writes(yard: Yard, operator: str) -> dict[str, float]:
    """How often a replica has written what only the leader writes, by what it was."""
    path = f"/api/v1/namespaces/{yard.installation.namespace}/pods/{operator}:8080/proxy/metrics"
    samples = [
        each
        for family in text_string_to_metric_families(yard.operator("get", "--raw", path))
        for each in family.samples
    ]
    written = {each.labels["what"]: each.value for each in samples if each.name == "modelyard_writes_total"}
    return {what: count for what, count in written.items() if what != "intake-ca"}


def _writes_once_calm(yard: Yard, operator: str) -> dict[str, float]:
    """The same, once what earlier tests have left to do is done."""
    deadline = time.monotonic() + 60
    before, now = None, _writes(yard, operator)
    while now != before:
        assert time.monotonic() < deadline, (
            f"{operator} still writes after 60 s in which nothing was asked of it: {now}"
        )
        time.sleep(3)
        before, now = now, _writes(yard, operator)
    return now


def _assert_all_there(yard: Yard, run: LiveRun, status: Object, *, epochs: int) -> None:
    """One attempt that lost nothing, and what its pod said in the end."""
    assert_nothing_lost(yard, run, status, attempts=1, epochs=epochs)
    (attempt,) = status["attempts"]
    assert (attempt["reason"], attempt["exitCode"], attempt["epoch"]) == ("Completed", 0, epochs)
    assert status["best"]["metric"] == "accuracy"
    assert status["dataset"]["images"] == 60
