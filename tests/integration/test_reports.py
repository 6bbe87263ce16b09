"""Reports with tokens that the real API server has made."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from modelyard_api.report import AUDIENCE
from modelyard_cluster.by_hand import set_running
from modelyard_operator.kube import paths

from tests.integration.conftest import StartOperator
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess


def authorities(view: NamespaceView) -> dict[str, str]:
    data: dict[str, str] = view.plane.api.get(paths.config_map(view.namespace, "modelyard-intake-ca"))["data"]
    return data


def send(operator: OperatorProcess, view: NamespaceView, token: str, **report: Any) -> int:
    """POST a report as a trainer does: trusting what the ConfigMap says."""
    body = {"sequence": 1, "attempt": 1, "stage": "Training", "epoch": 3, "epochs": 100, "percent": 3} | report
    request = urllib.request.Request(
        operator.intake_url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"}, method="POST"
    )
    context = ssl.create_default_context(cadata="\n".join(authorities(view).values()))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


@pytest.fixture
def running_pod(view: NamespaceView, operator: OperatorProcess) -> str:
    """The running pod of run `digits`."""
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    view.wait_for_phase("Running")
    return pod


def token_of(view: NamespaceView, pod: str, audience: str | None = AUDIENCE) -> str:
    return view.plane.service_account_token(view.namespace, "default", audience=audience, pod=pod)


def test_a_report_reaches_the_table(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    token = token_of(view, running_pod)
    assert send(operator, view, token, metrics=[{"name": "mAP50", "value": 0.61}], eta_seconds=600) == 200
    view.eventually(lambda: view.status()["progress"]["display"] == "3/100", "status shows the epoch")
    table = view.plane.kubectl("get", "trun", "digits", "-n", view.namespace)
    assert ("3/100" in table, "mAP50 0.610" in table, "10m" in table) == (True, True, True)


def test_epochs_only_ever_rise(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    token = token_of(view, running_pod)
    seen: list[int] = []
    for sequence, epoch in enumerate([1, 2, 2, 1, 3, 4], start=1):
        assert send(operator, view, token, sequence=sequence, epoch=epoch) == 200
        view.eventually(lambda: view.status()["progress"]["epoch"] >= max(seen, default=0), "the epoch is shown")
        seen.append(view.status()["progress"]["epoch"])
    view.eventually(lambda: view.status()["progress"]["epoch"] == 4, "the last epoch is shown")
    assert seen == sorted(seen)


def test_phases_follow_the_stages(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    token = token_of(view, running_pod)
    for sequence, (stage, phase) in enumerate([("Exporting", "Exporting"), ("Publishing", "Uploading")], start=1):
        assert send(operator, view, token, sequence=sequence, stage=stage) == 200
        view.wait_for_phase(phase)


def test_another_run_s_pod_may_not_report(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    view.apply("other")
    other = view.pod_of(1, "other")
    assert send(operator, view, token_of(view, other), attempt=2) == 403
    # A pod that only wears the labels of a run.
    labels = next(pod for pod in view.pods() if pod["metadata"]["name"] == running_pod)["metadata"]["labels"]
    forged = {
        "metadata": {"name": "forged", "labels": labels},
        "spec": {"containers": [{"name": "trainer", "image": "a"}]},
    }
    view.plane.api.post(paths.pods(view.namespace), forged)
    assert send(operator, view, token_of(view, "forged")) == 403
    assert view.status()["progress"]["epoch"] == 0


def test_tokens_for_something_else_prove_nothing(
    view: NamespaceView, operator: OperatorProcess, running_pod: str
) -> None:
    for token in (
        token_of(view, running_pod, audience=None),
        token_of(view, running_pod, audience="another"),
        view.plane.service_account_token(view.namespace, "default", audience=AUDIENCE),
        view.plane.admin_token,
    ):
        assert send(operator, view, token) == 401


def test_a_standby_hands_reports_on(
    view: NamespaceView, operator: OperatorProcess, running_pod: str, start_operator: StartOperator
) -> None:
    standby = start_operator("two")
    view.eventually(lambda: set(authorities(view)) == {"one.crt", "two.crt"}, "both authorities are published")
    assert not standby.leads
    assert send(standby, view, token_of(view, running_pod), epoch=7) == 200
    view.eventually(lambda: view.status()["progress"]["display"] == "7/100", "status shows the epoch")


def test_without_a_leader_the_answer_is_503(
    view: NamespaceView, operator: OperatorProcess, running_pod: str, start_operator: StartOperator
) -> None:
    standby = start_operator("two")
    view.eventually(lambda: "two.crt" in authorities(view), "its authority is published")
    operator.kill()
    assert send(standby, view, token_of(view, running_pod)) == 503
    view.eventually(lambda: standby.leads, "the standby leads", 15)
    assert send(standby, view, token_of(view, running_pod), epoch=8) == 200


def test_a_restarted_operator_is_heard_from_again(
    view: NamespaceView, operator: OperatorProcess, running_pod: str
) -> None:
    token = token_of(view, running_pod)
    assert send(operator, view, token, sequence=5, epoch=5) == 200
    view.eventually(lambda: view.status()["progress"]["epoch"] == 5, "the epoch is shown")
    operator.stop()
    operator.start()
    assert view.status()["progress"]["epoch"] == 5
    view.eventually(lambda: operator.leads, "it leads again")
    assert send(operator, view, token, sequence=6, epoch=6) == 200
    view.eventually(lambda: view.status()["progress"]["epoch"] == 6, "the next epoch is shown")
