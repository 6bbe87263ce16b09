"""What a person follows: phases, conditions, and the switches that hold a run back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, condition_of, epochs_done, phases_of
from tests.e2e.yard import Yard

NO_IMAGE = "127.0.0.1:9/modelyard/nowhere:v1"
RETRIES = 7
_NOT_PULLED = ("ErrImagePull", "ImagePullBackOff")
"""The kubelet goes from one to the other, and shows the first for a moment only."""
IN_ORDER = ["Pending", "Starting", "Running", "Exporting", "Uploading", "Complete"]


@pytest.fixture(scope="module")
def runs(yard: Yard) -> Mapping[str, LiveRun]:
    """All runs of this page, applied in one go, so that the waiting is shared."""
    stories = (
        yard.quick("suspended-later").for_epochs(8),
        yard.quick("followed").for_epochs(5).of("linear-1500ms"),
        yard.quick("held-back").having({"required": True}, "approval"),
        yard.quick("nowhere-to-go").having("nvidia-h9000", "resources", "gpuType"),
        yard.quick("without-an-image")
        .having(NO_IMAGE, "resources", "image")
        .having("10m", "resources", "cpu")
        .having("15s", "recovery", "startDeadline"),
    )
    return {run.name: run for run in yard.start(*stories)}


@dataclass(frozen=True)
class Edited:
    """A run before and after it was edited, each as the object, its pod and its status; and what was refused."""

    before: tuple[Object, Object]
    after: tuple[Object, Object]
    refusal: str


@pytest.fixture(scope="module", autouse=True)
def edited(runs: Mapping[str, LiveRun]) -> Iterator[Future[Edited]]:
    """The run `followed`, edited as soon as it trains, whatever else is tested meanwhile."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(_edit, runs["followed"])


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
    assert second["resumedFromEpoch"] >= 1
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


def test_what_may_change_is_changed_while_it_trains(edited: Future[Edited]) -> None:
    """Another `recovery.maxRetries` is seen by the operator, and leaves the pod alone; what it trains is fixed."""
    found = edited.result()
    (run, pod), (run_after, pod_after) = found.before, found.after

    assert "training is fixed once the run has started; create a new TrainingRun with another name" in found.refusal
    assert run["status"]["phase"] == "Running"
    assert run_after["spec"]["recovery"]["maxRetries"] == RETRIES
    assert run_after["spec"]["training"] == run["spec"]["training"]
    assert run_after["metadata"]["generation"] == run["metadata"]["generation"] + 1
    assert run_after["status"]["observedGeneration"] == run_after["metadata"]["generation"]
    assert pod_after["metadata"]["uid"] == pod["metadata"]["uid"]


def test_an_image_that_cannot_be_pulled_is_named_and_not_waited_for_for_ever(
    yard: Yard, runs: Mapping[str, LiveRun]
) -> None:
    """The kubelet's own words stand in a condition, until `recovery.startDeadline` ends the run."""
    run = runs["without-an-image"]
    status = run.wait("Failed")

    assert status["reason"] == "StartDeadlineExceeded"
    assert [each["reason"] for each in status["attempts"]] == ["StartDeadlineExceeded"]
    told = [condition_of(each, "Reconciling") for each in yard.watched.statuses(run.name)]
    assert [each for each in told if each["reason"] in _NOT_PULLED and NO_IMAGE in each["message"]]
    assert run.pods() == []


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


def _edit(run: LiveRun) -> Edited:
    """More retries; and more epochs, which it is too late for."""
    run.until_epoch(1)
    before = run.kubectl.get("trun", run.name), run.pod()
    more = json.dumps({"spec": {"training": {"epochs": 500}}})
    refusal = run.kubectl.refusal("patch", "trun", run.name, "--type=merge", "--patch", more)
    run.set({"recovery": {"maxRetries": RETRIES}})
    edited = before[0]["metadata"]["generation"] + 1
    run.until("the edit to be seen", lambda status: status["observedGeneration"] >= edited)
    return Edited(before, (run.kubectl.get("trun", run.name), run.pod()), refusal)
