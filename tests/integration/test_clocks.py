"""Clocks on the real API server, running out side by side: stalls, deadlines, and how long what is over is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from modelyard_api.outcome import Reason
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.by_hand import set_running, set_terminated
from modelyard_cluster.kwok import BY_HAND

from tests.conftest import namespace_of_its_own
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess, grant
from tests.integration.reporting import send, token_of

STALLS, TOO_LONG, UNSEEN, HOMELESS, OVER = "stalls", "takes-too-long", "ends-unseen", "fits-no-node", "is-over"


@pytest.fixture(scope="module")
def ran_out(served: BareControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamespaceView]:
    """A namespace where five clocks have run out, one of them while the operator was down."""
    with namespace_of_its_own(served, BY_HAND) as namespace:
        view = NamespaceView(served, namespace)
        token = grant(served, namespace)
        operator = OperatorProcess(served, namespace, token, tmp_path_factory.mktemp("clocks"), "one")
        try:
            operator.start()
            let_them_run_out(view, operator)
            yield view
        finally:
            operator.thaw_and_kill()


def let_them_run_out(view: NamespaceView, operator: OperatorProcess) -> None:
    """Begin the runs, end one, and be silent; the operator is away while the last of them takes too long."""
    view.apply(OVER, recovery__ttlAfterFinished="1s")
    view.apply(STALLS, recovery__stallTimeout="3s")
    view.apply(TOO_LONG, recovery__activeDeadline="5s")
    view.apply(HOMELESS, recovery__startDeadline="2s", resources__gpuType="of-another-world")
    set_terminated(view.plane.api, view.namespace, view.pod_of(1, OVER))
    for name in (STALLS, TOO_LONG):
        runs(view, name)
    assert send(operator, view, token_of(view, view.pod_of(1, STALLS))) == 200
    view.wait_for_phase("Failed", HOMELESS)
    view.wait_for_phase("Failed", TOO_LONG)
    view.pod_of(2, STALLS)
    view.apply(UNSEEN, recovery__activeDeadline="5s")
    runs(view, UNSEEN)
    operator.kill()
    job = view.jobs(UNSEEN)[0]["metadata"]["name"]
    view.plane.kubectl("wait", "--for=condition=Failed", f"job/{job}", "-n", view.namespace, "--timeout=60s")
    view.eventually(lambda: view.pods(UNSEEN) == [], "no pod holds the GPU")
    operator.start()
    view.wait_for_phase("Failed", UNSEEN)
    view.eventually(lambda: view.jobs(OVER) == view.pods(OVER) == [], "Job and pod of what is over are gone", 40)
    view.eventually(lambda: operator.metric("modelyard_queue_depth") == 0, "nothing is left to be done")


def runs(view: NamespaceView, name: str) -> None:
    """The first pod runs, and that stands in status."""
    set_running(view.plane.api, view.namespace, view.pod_of(1, name))
    view.wait_for_phase("Running", name)


def test_a_trainer_that_was_heard_and_stands_still_gets_another_attempt(ran_out: NamespaceView) -> None:
    first, second = ran_out.status(STALLS)["attempts"]
    assert (first["reason"], second.get("endedAt")) == (Reason.STALLED, None)
    assert ran_out.status(STALLS)["retries"] == 1


@pytest.mark.parametrize("name", [TOO_LONG, UNSEEN])
def test_what_takes_longer_than_it_may_is_ended_whether_or_not_an_operator_is_there(
    ran_out: NamespaceView, name: str
) -> None:
    status = ran_out.status(name)
    assert (status["phase"], status["reason"]) == ("Failed", Reason.ACTIVE_DEADLINE_EXCEEDED)
    assert (len(status["attempts"]), ran_out.pods(name)) == (1, [])


def test_what_fits_no_node_is_given_up_after_its_start_deadline(ran_out: NamespaceView) -> None:
    status = ran_out.status(HOMELESS)
    assert (status["phase"], status["reason"]) == ("Failed", Reason.START_DEADLINE_EXCEEDED)
    assert (len(status["attempts"]), ran_out.pods(HOMELESS)) == (1, [])


def test_job_and_pod_of_what_is_over_go_and_the_run_stays(ran_out: NamespaceView) -> None:
    status = ran_out.status(OVER)
    assert (status["phase"], len(status["attempts"])) == ("Complete", 1)
    assert ran_out.jobs(OVER) == ran_out.pods(OVER) == []
