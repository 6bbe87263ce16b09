"""Attempts that asked for too much, on the real API server: what the next trainer reads, and what a person is told."""

from __future__ import annotations

import time
from typing import Any

import pytest
from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_api.run_document import RUN_ANNOTATION, RunDocument
from modelyard_cluster.by_hand import set_running, set_terminated
from modelyard_operator.kube import paths

from tests.integration.conftest import StartOperator
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess


def ends(view: NamespaceView, attempt: int, exit_code: int, why: Reason | None = None, reason: str = "") -> None:
    """The pod of `attempt` runs and ends so."""
    pod = view.pod_of(attempt)
    set_running(view.plane.api, view.namespace, pod)
    said = ""
    if why is not None:
        said = TerminationMessage(reason=why, message="as it were", attempt=attempt).model_dump_json(
            by_alias=True, exclude_none=True
        )
    set_terminated(view.plane.api, view.namespace, pod, exit_code=exit_code, reason=reason, message=said)


def document_of(view: NamespaceView, attempt: int) -> RunDocument:
    """What the trainer of `attempt` reads: its pod's annotation, as Kubernetes made it from the Job."""
    name = view.pod_of(attempt)
    (pod,) = (pod for pod in view.pods() if pod["metadata"]["name"] == name)
    return RunDocument.model_validate_json(pod["metadata"]["annotations"][RUN_ANNOTATION])


def events(view: NamespaceView, reason: str) -> list[str]:
    """What the run's Events of that reason say, once there is one."""

    def found() -> list[str]:
        told: list[dict[str, Any]] = view.plane.api.get(paths.events(view.namespace))["items"]
        return [
            event["note"] for event in told if event["reason"] == reason and event["regarding"]["kind"] == "TrainingRun"
        ]

    return view.eventually(found, f"an Event says {reason}")


def test_a_gpu_out_of_memory_gets_half_the_batch_at_once(view: NamespaceView, start_operator: StartOperator) -> None:
    """An attempt that counts as a retry would begin much later than this test waits."""
    start_operator("one", retry_delay_seconds=600)
    view.apply(training__batchSize=32, recovery__maxRetries=0)
    ends(view, 1, 11, Reason.OUT_OF_MEMORY)
    document = document_of(view, 2)
    assert (document.batch_size, document.step_size, document.training.batch_size) == (16, 32, 16)
    words = "attempt 1 ran out of GPU memory with a batch of 32; attempt 2 goes on with a batch of 16"
    assert words in events(view, "Retrying")
    status = view.status()
    assert (status["batchSize"], status["retries"]) == (16, 0)
    assert [attempt["batchSize"] for attempt in status["attempts"]] == [32, 16]
    table = view.plane.kubectl("get", "trun", "digits", "-n", view.namespace)
    assert " 16 " in table
    pod = view.pod_of(2)
    set_running(view.plane.api, view.namespace, pod)
    set_terminated(view.plane.api, view.namespace, pod)
    assert view.wait_for_phase("Complete")["batchSize"] == 16


def test_when_nothing_smaller_is_left_it_says_what_would_help(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply(training__batchSize=4, recovery__oom={"minBatchSize": 2}, model__architecture="yolov8m")
    ends(view, 1, 11, Reason.OUT_OF_MEMORY)
    ends(view, 2, 11, Reason.OUT_OF_MEMORY)
    status = view.wait_for_phase("Failed")
    assert (status["reason"], status["retries"], len(view.jobs())) == ("OutOfMemory", 0, 2)
    (note,) = events(view, "OutOfMemory")
    assert note == status["message"]
    for advice in ("batch of 2", "minBatchSize, 2", "batchSize 1 instead of 2", "imageSize 512", "yolov8s"):
        assert advice in note


def test_smaller_steps_and_their_learning_rate_reach_the_trainer(
    view: NamespaceView, operator: OperatorProcess
) -> None:
    oom = {"factor": 0.25, "keepEffectiveBatch": False, "learningRate": "scale"}
    view.apply(training__batchSize=32, training__optimizer={"learningRate": 0.01}, recovery__oom=oom)
    ends(view, 1, 11, Reason.OUT_OF_MEMORY)
    document = document_of(view, 2)
    assert (document.batch_size, document.step_size) == (8, 8)
    assert document.training.optimizer.learning_rate == pytest.approx(0.0025)
    attempt = view.status()["attempts"][1]
    assert (attempt["effectiveBatchSize"], attempt["learningRateFactor"]) == (8, "0.25")


def test_killed_for_memory_gets_fewer_workers_and_no_cache_and_then_fails_with_advice(
    view: NamespaceView, operator: OperatorProcess
) -> None:
    view.apply(training__cache="memory", training__workers=8)
    for attempt, (workers, cache) in enumerate([(8, "memory"), (4, "none"), (0, "none")], 1):
        found = document_of(view, attempt).training
        assert (found.workers, found.cache) == (workers, cache)
        ends(view, attempt, 137, reason="OOMKilled")
    status = view.wait_for_phase("Failed")
    assert status["reason"] == "HostOutOfMemory"
    assert "resources.memory 6Gi instead of 4Gi" in status["message"]
    told = [(attempt.get("loaderWorkers"), attempt.get("imageCache")) for attempt in status["attempts"]]
    assert told == [(None, None), (4, "none"), (0, "none")]


def test_a_lower_learning_rate_after_it_diverged(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply(recovery__divergence={"action": "retry", "maxRetries": 1}, training__optimizer={"learningRate": 0.01})
    ends(view, 1, 14, Reason.DIVERGED)
    assert document_of(view, 2).training.optimizer.learning_rate == pytest.approx(0.001)
    ends(view, 2, 14, Reason.DIVERGED)
    status = view.wait_for_phase("Failed")
    assert (status["reason"], len(status["attempts"])) == ("Diverged", 2)


def test_the_deadline_of_the_job_is_what_is_left_after_a_suspension(
    view: NamespaceView, operator: OperatorProcess
) -> None:
    view.apply(recovery__activeDeadline="1h")
    set_running(view.plane.api, view.namespace, view.pod_of(1))
    view.wait_for_phase("Running")
    view.patch("digits", {"suspend": True})
    used = view.wait_for_phase("Suspended")["activeSeconds"]
    assert "activeSince" not in view.status()
    time.sleep(3)
    view.patch("digits", {"suspend": False})
    view.pod_of(2)
    assert view.status()["activeSeconds"] == used
    assert view.jobs()[-1]["spec"]["activeDeadlineSeconds"] == 3600 - used


def test_a_queue_takes_the_place_away_and_gives_it_back(view: NamespaceView, operator: OperatorProcess) -> None:
    """Kueue's part is played by the test: it suspends the Job and releases it."""
    view.apply(resources__queue="team-a", recovery__activeDeadline="1h")

    def queued() -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            status = view.status()
            return status if status.get("reason") == "Queued" else None

        return view.eventually(found, "the run waits in its queue")

    def set_suspended(suspended: bool) -> None:
        job = view.jobs()[0]["metadata"]["name"]
        view.plane.api.patch(f"{paths.jobs(view.namespace)}/{job}", {"spec": {"suspend": suspended}})

    status = queued()
    assert (status["phase"], status["activeSeconds"], status.get("activeSince")) == ("Pending", 0, None)
    set_suspended(False)
    first = view.pod_of(1)
    set_running(view.plane.api, view.namespace, first)
    view.wait_for_phase("Running")
    time.sleep(2)
    set_suspended(True)
    used = queued()["activeSeconds"]
    assert used >= 2
    view.eventually(lambda: view.pods() == [], "no pod holds the GPU")
    view.eventually(
        lambda: view.jobs()[0]["spec"]["activeDeadlineSeconds"] == 3600 - used, "the Job has what is left of the time"
    )
    time.sleep(2)
    set_suspended(False)
    second = view.pod_of(1)
    assert second != first
    set_running(view.plane.api, view.namespace, second)
    status = view.wait_for_phase("Running")
    assert (status["activeSeconds"], len(status["attempts"]), status["retries"]) == (used, 1, 0)
    assert len(view.jobs()) == 1
    set_terminated(view.plane.api, view.namespace, second)
    view.wait_for_phase("Complete")
