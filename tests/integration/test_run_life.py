"""A run's life on the real API server: its Job is Kubernetes' own, its pod is moved by hand."""

from __future__ import annotations

from typing import Any

import pytest
from modelyard_api.outcome import Reason, TerminationMessage
from modelyard_cluster.by_hand import set_evicted, set_running, set_terminated
from modelyard_operator.kube import paths

from tests.integration.namespace_view import NamespaceView, conditions
from tests.integration.operator_process import OperatorProcess


def words(reason: Reason, message: str = "as it were", **fields: Any) -> str:
    said = TerminationMessage(reason=reason, message=message, **{"attempt": 1, **fields})
    return said.model_dump_json(by_alias=True, exclude_none=True)


def test_from_applied_to_complete(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    status = view.wait_for_phase("Starting")
    assert conditions(status)["Reconciling"] == "True"
    set_running(view.plane.api, view.namespace, pod)
    assert conditions(view.wait_for_phase("Running"))["Running"] == "True"
    said = words(Reason.COMPLETED, epoch=100, epochs=100, artifacts_uri="s3://models/x/")
    set_terminated(view.plane.api, view.namespace, pod, message=said)
    status = view.wait_for_phase("Complete")
    held = {kind for kind, state in conditions(status).items() if state == "True"}
    assert held == {"Approved", "ArtifactsUploaded", "Complete", "Finished"}
    assert status["progress"]["display"] == "100/100"
    (job,) = view.jobs()
    view.eventually(
        lambda: view.jobs()[0]["spec"].get("ttlSecondsAfterFinished") == 86_400, "the finished Job may expire", 30
    )
    assert job["metadata"]["ownerReferences"][0]["kind"] == "TrainingRun"


def test_kubectl_can_wait_for_it(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    set_terminated(view.plane.api, view.namespace, pod, message=words(Reason.COMPLETED_EARLY, "best of epoch 70"))
    for condition in ("Complete", "Finished"):
        view.plane.kubectl("wait", f"--for=condition={condition}", "trun/digits", "-n", view.namespace, "--timeout=20s")
    table = view.plane.kubectl("get", "trun", "-n", view.namespace)
    assert "Complete" in table
    events = view.plane.kubectl(
        "get", "events", "-n", view.namespace, "--field-selector=involvedObject.kind=TrainingRun"
    )
    assert "CompletedEarly" in events
    assert "best of epoch 70" in events


def test_a_user_error_fails_the_run_at_once(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    message = "labels/7.txt line 3: class 12 is not one of 10"
    set_terminated(
        view.plane.api, view.namespace, view.pod_of(1), exit_code=10, message=words(Reason.LABEL_INVALID, message)
    )
    status = view.wait_for_phase("Failed")
    assert (status["reason"], status["message"]) == ("LabelInvalid", message)
    assert len(view.jobs()) == 1
    view.plane.kubectl("wait", "--for=condition=Failed", "trun/digits", "-n", view.namespace, "--timeout=5s")


@pytest.mark.parametrize(
    ("exit_code", "reason", "expected"),
    [(13, "", "StoreUnreachable"), (137, "OOMKilled", "HostOutOfMemory"), (1, "", "InternalError")],
)
def test_what_may_pass_is_tried_again(
    view: NamespaceView, operator: OperatorProcess, exit_code: int, reason: str, expected: str
) -> None:
    view.apply()
    set_terminated(view.plane.api, view.namespace, view.pod_of(1), exit_code=exit_code, reason=reason)
    second = view.pod_of(2)
    status = view.status()
    assert (status["attempts"][0]["reason"], status["retries"], status["currentAttempt"]) == (expected, 1, 2)
    set_running(view.plane.api, view.namespace, second)
    set_terminated(view.plane.api, view.namespace, second)
    assert view.wait_for_phase("Complete")["attempts"][1]["reason"] == "Completed"


def test_an_evicted_pod_is_an_interruption(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    set_evicted(view.plane.api, view.namespace, pod, message="The node was low on resource: memory.")
    view.pod_of(2)
    attempt = view.status()["attempts"][0]
    assert attempt["reason"] == "Interrupted"
    assert "low on resource" in attempt["message"]


def test_a_pod_that_fits_no_node_says_what_the_scheduler_says(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply(resources__gpuType="of-another-world")
    status = view.eventually(
        lambda: view.status() if view.status().get("reason") == "Unschedulable" else None, "the run is Unschedulable"
    )
    assert "node affinity/selector" in status["message"]


def test_suspending_frees_the_gpu_and_resuming_goes_on(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    set_running(view.plane.api, view.namespace, view.pod_of(1))
    view.wait_for_phase("Running")
    view.patch("digits", {"suspend": True})
    status = view.wait_for_phase("Suspended")
    assert (status["attempts"][0]["reason"], status["retries"]) == ("Suspended", 0)
    view.eventually(lambda: view.pods() == [], "no pod holds the GPU")
    view.patch("digits", {"suspend": False})
    view.pod_of(2)


def test_approval_is_waited_for(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply(approval__required=True)
    assert conditions(view.wait_for_phase("Pending"))["Approved"] == "False"
    assert view.jobs() == []
    view.patch("digits", {"approval": {"required": True, "approved": True}})
    view.pod_of(1)


def test_a_job_deleted_by_hand_is_lost_and_the_run_goes_on(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    view.wait_for_phase("Running")
    job = view.jobs()[0]["metadata"]["name"]
    view.plane.kubectl("delete", "job", job, "-n", view.namespace, "--cascade=orphan")
    # By its name: attempt 2 may have a pod already.
    view.plane.kubectl("delete", "pod", pod, "-n", view.namespace, "--force", "--grace-period=0")
    view.pod_of(2)
    assert view.status()["attempts"][0]["reason"] in ("Lost", "Interrupted")


def test_a_job_deleted_after_the_end_starts_nothing(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    set_terminated(view.plane.api, view.namespace, view.pod_of(1))
    view.wait_for_phase("Complete")
    view.plane.kubectl("delete", "jobs", "--all", "-n", view.namespace)
    operator.stop()
    operator.start()
    view.apply("another")
    view.pod_of(1, "another")
    assert view.jobs() == []
    assert view.status()["phase"] == "Complete"


def test_deleting_the_run_ends_its_pod_without_an_operator(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    operator.kill()
    view.delete()
    view.eventually(
        lambda: view.is_gone(f"{paths.pods(view.namespace)}/{pod}"), "garbage collection takes the pod along", 60
    )
    assert view.is_gone(paths.run(view.namespace, "digits"))


def test_what_happened_while_the_operator_was_down_is_learnt(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    operator.kill()
    set_running(view.plane.api, view.namespace, pod)
    set_terminated(view.plane.api, view.namespace, pod, message=words(Reason.COMPLETED, epoch=100, epochs=100))
    operator.start()
    status = view.wait_for_phase("Complete")
    assert (status["progress"]["epoch"], len(status["attempts"])) == (100, 1)


def test_even_a_pod_that_is_gone_has_left_its_exit_code(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    view.wait_for_phase("Running")
    operator.kill()
    set_terminated(view.plane.api, view.namespace, pod, exit_code=10, message=words(Reason.LABEL_INVALID))
    name = view.jobs()[0]["metadata"]["name"]
    view.plane.kubectl("wait", "--for=condition=Failed", f"job/{name}", "-n", view.namespace, "--timeout=20s")
    view.plane.kubectl("delete", "pod", pod, "-n", view.namespace, "--force", "--grace-period=0")
    operator.start()
    attempt = view.wait_for_phase("Failed")["attempts"][0]
    assert (attempt["exitCode"], attempt["reason"]) == (10, "SpecInvalid")


@pytest.mark.parametrize("noted", ["nothing", "the attempt"])
def test_a_job_that_is_there_already_is_adopted(view: NamespaceView, operator: OperatorProcess, noted: str) -> None:
    """As after a crash between the creation of the Job and its being noted."""
    view.apply()
    view.wait_for_phase("Starting")
    view.pod_of(1)
    operator.kill()
    before = view.jobs()[0]["metadata"]["uid"]
    attempt = {**view.status()["attempts"][0], "jobUid": None}
    status = {"attempts": [attempt]} if noted == "the attempt" else None
    view.plane.api.patch(paths.run_status(view.namespace, "digits"), {"status": status})
    operator.start()
    set_running(view.plane.api, view.namespace, view.pod_of(1))
    status = view.wait_for_phase("Running")
    assert (len(view.jobs()), status["attempts"][0]["jobUid"]) == (1, before)


def test_no_job_of_another_is_adopted(view: NamespaceView, operator: OperatorProcess) -> None:
    operator.kill()
    uid = view.apply()["metadata"]["uid"]
    squatter = {
        "metadata": {"name": f"digits-{uid[:8]}-1"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}},
    }
    view.plane.api.post(paths.jobs(view.namespace), squatter)
    operator.start()
    view.eventually(lambda: "does not belong to run digits" in operator.log.read_text(), "the operator says so")
    assert view.wait_for_phase("Starting")["reason"] == Reason.JOB_REFUSED
    view.plane.kubectl("delete", "job", f"digits-{uid[:8]}-1", "-n", view.namespace)
    view.pod_of(1)


def test_a_quota_that_forbids_the_job_is_told_in_its_own_words(view: NamespaceView, operator: OperatorProcess) -> None:
    quota = {"metadata": {"name": "no-jobs"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    quotas = f"/api/v1/namespaces/{view.namespace}/resourcequotas"
    view.plane.api.post(quotas, quota)
    view.eventually(lambda: view.plane.api.get(f"{quotas}/no-jobs").get("status", {}).get("hard"), "the quota counts")
    view.apply()
    status = view.wait_for_phase("Starting")
    assert status["reason"] == Reason.JOB_REFUSED
    assert "exceeded quota: no-jobs" in status["message"]
    assert view.jobs() == []
    view.plane.kubectl("delete", "resourcequota", "no-jobs", "-n", view.namespace)
    view.pod_of(1)
    assert view.wait_for_phase("Starting")["attempts"][0]["number"] == 1


def test_one_broken_run_does_not_disturb_another(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply("broken")
    set_terminated(view.plane.api, view.namespace, view.pod_of(1, "broken"), exit_code=10)
    view.apply("sound")
    set_terminated(view.plane.api, view.namespace, view.pod_of(1, "sound"))
    view.wait_for_phase("Complete", "sound")
    view.wait_for_phase("Failed", "broken")


def test_the_probes_and_metrics_tell_the_truth(view: NamespaceView, operator: OperatorProcess) -> None:
    view.apply()
    view.pod_of(1)
    assert operator.probe("/healthz") == (200, "ok\n")
    assert operator.probe("/readyz") == (200, "ok\n")
    # The Job is made before anything is written of the run, and its pod may be there first, too.
    view.eventually(lambda: operator.metric('modelyard_runs{phase="Starting"}') == 1, "the run is counted as Starting")
    assert operator.metric("modelyard_run_to_job_seconds_count") == 1
    assert operator.metric('modelyard_writes_total{what="job"}') == 1
    view.eventually(lambda: operator.metric("modelyard_queue_depth") == 0, "nothing waits")
    assert 0 < operator.metric("modelyard_last_event_age_seconds") < 60
