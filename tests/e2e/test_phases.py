"""What a person follows: phases, conditions, and the switches that hold a run back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.e2e.live_run import LiveRun, condition_of, epochs_done, phases_of
from tests.e2e.yard import Yard

IN_ORDER = ["Pending", "Starting", "Running", "Exporting", "Uploading", "Complete"]


@pytest.fixture(scope="module")
def runs(yard: Yard) -> Mapping[str, LiveRun]:
    """All runs of this page, applied in one go, so that the waiting is shared."""
    stories = (
        yard.quick("suspended-later").for_epochs(8),
        yard.quick("followed").for_epochs(5).of("linear-1500ms"),
        yard.quick("held-back").having({"required": True}, "approval"),
        yard.quick("nowhere-to-go").having("nvidia-h9000", "resources", "gpuType"),
    )
    return {run.name: run for run in yard.start(*stories)}


def test_a_suspended_run_holds_no_gpu_and_goes_on(runs: Mapping[str, LiveRun]) -> None:
    """`suspend: true` ends the pod and keeps the run; `false` starts the next attempt, which completes."""
    run = runs["suspended-later"]
    run.until_epoch(1)
    run.set({"suspend": True})

    status = run.wait("Suspended")
    assert status["phase"] == "Suspended"
    assert [pod for pod in run.pods() if pod["status"]["phase"] in ("Pending", "Running")] == []

    run.set({"suspend": False})

    status = run.wait("Complete")
    first, second = status["attempts"]
    assert (first["reason"], second["reason"]) == ("Suspended", "Completed")
    assert status.get("retries", 0) == 0
    assert condition_of(status, "Suspended")["status"] == "False"


def test_a_run_waits_for_approval(runs: Mapping[str, LiveRun]) -> None:
    """A run that requires approval has no Job and says what it waits for, until a person approves."""
    run = runs["held-back"]
    status = run.until("a word on approval", lambda status: bool(status.get("conditions")))
    assert status["phase"] == "Pending"
    assert condition_of(status, "Approved")["status"] == "False"
    assert "spec.approval.approved" in status["message"]
    assert run.jobs() == []

    run.set({"approval": {"approved": True}})

    status = run.wait("Complete")
    assert condition_of(status, "Approved")["status"] == "True"
    assert len(run.jobs()) == 1


def test_a_run_that_fits_nowhere_says_why(runs: Mapping[str, LiveRun]) -> None:
    """A run whose GPU nobody has is no failure: it waits, with the scheduler's own words in its status."""
    run = runs["nowhere-to-go"]
    status = run.until("the scheduler's word", lambda status: status.get("reason") == "Unschedulable")

    assert status["phase"] == "Starting"
    assert "0/2 nodes are available" in status["message"]
    assert "0/2 nodes are available" in condition_of(status, "Reconciling")["message"]
    assert condition_of(status, "Failed")["status"] == "Unknown"
    run.delete(wait=False)


def test_every_phase_is_seen_in_order(yard: Yard, runs: Mapping[str, LiveRun]) -> None:
    """A person who watches a run sees each phase once, in order."""
    run = runs["followed"]
    run.wait("Complete")

    phases = phases_of(yard.watched.statuses(run.name))
    assert phases == [phase for phase in IN_ORDER if phase in phases]
    assert set(IN_ORDER) - set(phases) <= {"Pending"}  # nothing holds it back, so it starts on the first visit


def test_every_epoch_is_seen_in_order(yard: Yard, runs: Mapping[str, LiveRun]) -> None:
    """Status counts every epoch, never backwards, and percent with it."""
    run = runs["followed"]
    run.wait("Complete")

    statuses = yard.watched.statuses(run.name)
    epochs = [epochs_done(status) for status in statuses]
    percents = [status.get("progress", {}).get("percent", 0) for status in statuses]
    assert epochs == sorted(epochs)
    assert set(epochs) == set(range(6))
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_kubectl_wait_works_for_each_end(runs: Mapping[str, LiveRun]) -> None:
    """`kubectl wait --for=condition=Complete` and `=Finished` return for a run that completes; Failed is False."""
    run = runs["followed"]
    run.wait("Complete")
    run.wait("Finished", seconds=5)
    run.kubectl.wait(f"trun/{run.name}", "condition=Failed=False", 5)
    run.kubectl.wait(f"trun/{run.name}", "jsonpath={.status.phase}=Complete", 5)


def test_the_table_tells_it(runs: Mapping[str, LiveRun]) -> None:
    """`kubectl get trainingruns` shows task, phase, epochs, progress, metric, batch size, try and age."""
    run = runs["followed"]
    run.wait("Complete")

    header, row = run.kubectl("get", "trainingruns", run.name).splitlines()
    assert header.split() == ["NAME", "TASK", "PHASE", "EPOCH", "PROGRESS", "ETA", "METRIC", "BATCH", "TRY", "AGE"]
    assert row.split()[:5] == ["followed", "detection", "Complete", "5/5", "100%"]
    assert "accuracy 0." in row
