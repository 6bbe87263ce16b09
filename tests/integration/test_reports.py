"""Reports with tokens that the real API server has made."""

from __future__ import annotations

from tests.integration.conftest import StartOperator
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess
from tests.integration.reporting import authorities, send, token_of


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
