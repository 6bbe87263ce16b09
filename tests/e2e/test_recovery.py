"""Pods that end before their time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from modelyard_api.layout import CHECKSUMS

from tests.e2e.live_run import LiveRun
from tests.e2e.nothing_lost import assert_nothing_lost
from tests.e2e.yard import Yard

EPOCHS, WORKERS = 8, 4


@pytest.fixture(scope="module")
def runs(yard: Yard) -> Mapping[str, LiveRun]:
    """The runs of this page, applied in one go; three of them are disturbed once they have got somewhere."""
    stories = [
        yard.quick("undisturbed").for_epochs(EPOCHS),
        yard.quick("pod-deleted").for_epochs(EPOCHS),
        yard.quick("container-killed").for_epochs(EPOCHS).having(1, "checkpoints", "everyEpochs"),
        yard.quick("job-deleted").for_epochs(EPOCHS).having(1, "checkpoints", "everyEpochs"),
    ]
    short, never = yard.quick("memory-short"), yard.quick("memory-never-enough")
    hungry = yard.quick("host-memory-short").for_epochs(EPOCHS).having(1, "checkpoints", "everyEpochs")
    stories += [
        short.of("linear-500ms-fails-OutOfMemory-above-8").having(32, "training", "batchSize"),
        never.of("linear-500ms-fails-OutOfMemory-at-2").having(1, "recovery", "oom", "maxReductions"),
        hungry.of("linear-500ms-hungry-at-2").having(WORKERS, "training", "workers"),
    ]
    runs = {run.name: run for run in yard.start(*stories)}
    disturbances: dict[str, Callable[[LiveRun], object]] = {
        "pod-deleted": _delete_pod,
        "container-killed": _kill_container,
        "job-deleted": _delete_job,
    }
    # Side by side: which of them gets a place first is the scheduler's to say, and none waits for another.
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(disturb, runs[name]) for name, disturb in disturbances.items()]:
            done.result()
    return runs


def test_a_pod_deleted_by_hand_is_followed_by_another(runs: Mapping[str, LiveRun]) -> None:
    """`kubectl delete pod` interrupts the attempt, which keeps its state; the next goes on there, free of charge."""
    status = runs["pod-deleted"].wait("Complete")

    first, second = status["attempts"]
    assert (first["reason"], second["reason"]) == ("Interrupted", "Completed")
    assert first["epoch"] >= 1
    assert second["resumedFromEpoch"] == first["epoch"]
    assert status.get("retries", 0) == 0
    assert status["progress"]["epoch"] == EPOCHS


def test_a_container_killed_is_followed_by_another(runs: Mapping[str, LiveRun]) -> None:
    """A container that dies of SIGKILL leaves no last words; the next one goes on from its last checkpoint."""
    status = runs["container-killed"].wait("Complete")

    first, second = status["attempts"]
    assert (first["exitCode"], second["reason"]) == (137, "Completed")
    assert second["resumedFromEpoch"] >= 1
    assert status["retries"] == 1
    assert len(runs["container-killed"].jobs()) == 2


def test_a_job_deleted_by_hand_is_followed_by_another(yard: Yard, runs: Mapping[str, LiveRun]) -> None:
    """`kubectl delete job` takes the pod along, which keeps its state; the next goes on there, free of charge."""
    run = runs["job-deleted"]
    status = run.wait("Complete")

    first, second = status["attempts"]
    assert (first["reason"], second["reason"]) == ("Interrupted", "Completed")
    assert second["resumedFromEpoch"] == first["epoch"] >= 1
    assert status.get("retries", 0) == 0
    assert len(run.jobs()) == 1
    assert_nothing_lost(yard, run, status, attempts=2, epochs=EPOCHS)
    uid = yard.kubectl.get("trun", run.name)["metadata"]["uid"]
    (sums,) = [key for key in yard.store.keys(f"s3://models/vision/{run.name}/{uid}/") if key.endswith(CHECKSUMS)]
    assert f"s3://models/{sums}".startswith(status["artifactsUri"])


def test_a_container_that_the_kernel_kills_for_memory_goes_on_with_fewer_workers(
    yard: Yard, runs: Mapping[str, LiveRun]
) -> None:
    """Memory beyond the pod's limit costs a retry; the next attempt goes on with half the processes beside it."""
    run = runs["host-memory-short"]
    status = run.wait("Complete")

    first, second = status["attempts"]
    assert (first["reason"], first["exitCode"]) == ("HostOutOfMemory", 137), first
    assert "loaderWorkers" not in first
    assert (second["reason"], second["loaderWorkers"]) == ("Completed", WORKERS // 2)
    assert second["resumedFromEpoch"] >= 1
    assert (status["retries"], status["batchSize"]) == (1, 16)
    (told,) = {each["message"] for each in yard.watched.statuses(run.name) if each.get("reason") == "Retrying"}
    assert "needed more memory than resources.memory, 384Mi" in told
    assert "attempt 2 goes on with 2 loader workers instead of 4" in told
    assert_nothing_lost(yard, run, status, attempts=2, epochs=EPOCHS)


@pytest.mark.parametrize("disturbed", ["pod-deleted", "container-killed", "job-deleted", "host-memory-short"])
def test_what_was_disturbed_ends_with_the_very_weights_of_what_was_not(
    runs: Mapping[str, LiveRun], disturbed: str
) -> None:
    """The files that the next attempt publishes are, byte for byte, those of a run that nobody touched."""
    expected, found = (
        {each["name"]: each["sha256"] for each in runs[name].wait("Complete")["artifacts"]}
        for name in ("undisturbed", disturbed)
    )

    assert found["best.npz"] == expected["best.npz"]
    assert found["last.npz"] == expected["last.npz"]


def test_a_batch_that_does_not_fit_is_halved_until_it_does(runs: Mapping[str, LiveRun]) -> None:
    """Each attempt that runs out of memory is followed at once by one with half the batch, free of charge."""
    status = runs["memory-short"].wait("Complete")

    assert [(each["reason"], each["batchSize"]) for each in status["attempts"]] == [
        ("OutOfMemory", 32),
        ("OutOfMemory", 16),
        ("Completed", 8),
    ]
    assert (status["batchSize"], status.get("retries", 0)) == (8, 0)


def test_a_run_that_fits_with_no_batch_fails_with_advice(runs: Mapping[str, LiveRun]) -> None:
    """A run that runs out of memory every time fails once nothing smaller is allowed, and says what would help."""
    status = runs["memory-never-enough"].wait("Failed")

    assert status["reason"] == "OutOfMemory"
    assert "what would help: training.batchSize" in status["message"]
    assert [(each["reason"], each["exitCode"]) for each in status["attempts"]] == [("OutOfMemory", 11)] * 2


def _delete_pod(run: LiveRun) -> None:
    run.until_epoch(1)
    run.kubectl("delete", "pod", run.pod()["metadata"]["name"], "--wait=false")


def _kill_container(run: LiveRun) -> None:
    run.until_checkpoint(1)
    run.kill_container()


def _delete_job(run: LiveRun) -> None:
    run.until_checkpoint(1)
    (job,) = run.jobs()
    run.kubectl("delete", "job", job["metadata"]["name"], "--wait=false")
