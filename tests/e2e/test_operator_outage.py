"""The operator is killed, or down: what happens meanwhile is neither lost nor undone."""

from __future__ import annotations

import time

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, epochs_done
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.yard import Yard


def test_an_operator_killed_midway_loses_nothing(yard: Yard) -> None:
    """The leader is killed while a run trains: its standby goes on within 15 s, and neither epoch nor file is lost."""
    (run,) = yard.start(yard.quick("outlives-a-kill").for_epochs(30))
    before = run.until_epoch(2)
    killed, at = yard.leader, time.monotonic()
    yard.operator("delete", "pod", killed, "--grace-period=0", "--force")
    while yard.leader in (killed, ""):
        assert time.monotonic() < at + 15, f"{killed} was killed 15 s ago, and no other leads"
        time.sleep(0.2)
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


def _assert_all_there(yard: Yard, run: LiveRun, status: Object, *, epochs: int) -> None:
    """One attempt that lost nothing, and what its pod said in the end."""
    assert_nothing_lost(yard, run, status, attempts=1, epochs=epochs)
    (attempt,) = status["attempts"]
    assert (attempt["reason"], attempt["exitCode"], attempt["epoch"]) == ("Completed", 0, epochs)
    assert status["best"]["metric"] == "accuracy"
    assert status["dataset"]["images"] == 60
