"""Two replicas: one leads, the other takes over, and neither ever undoes what the other did."""

from __future__ import annotations

import time

from modelyard_cluster.by_hand import set_running, set_terminated

from tests.integration.conftest import StartOperator
from tests.integration.namespace_view import NamespaceView


def test_being_ready_is_not_being_the_leader(start_operator: StartOperator) -> None:
    first, second = start_operator("one"), start_operator("two")
    assert [first.leads, second.leads] == [True, False]
    assert second.probe("/readyz") == (200, "ok\n")
    assert first.lease_holder() == "one"


def test_a_standby_takes_over_from_a_leader_that_was_killed(view: NamespaceView, start_operator: StartOperator) -> None:
    first, second = start_operator("one", lease_seconds=10), start_operator("two", lease_seconds=10)
    view.apply()
    set_running(view.plane.api, view.namespace, view.pod_of(1))
    view.wait_for_phase("Running")
    first.kill()
    killed_at = time.monotonic()
    view.apply("next")
    view.pod_of(1, "next")
    took = time.monotonic() - killed_at
    assert second.leads
    assert took < 15, f"the standby took {took:.1f} s"
    assert view.status()["phase"] == "Running"
    assert len(view.jobs()) == 1


def test_a_leader_that_ends_lets_go_at_once(view: NamespaceView, start_operator: StartOperator) -> None:
    first, second = start_operator("one"), start_operator("two")
    took = first.stop()
    assert took < 5, f"ending took {took:.1f} s"
    view.eventually(lambda: second.leads, "the standby leads", 4)


def test_a_leader_that_was_frozen_writes_nothing_afterwards(view: NamespaceView, start_operator: StartOperator) -> None:
    first, second = start_operator("one"), start_operator("two", lease_seconds=3)
    view.apply()
    view.pod_of(1)
    first.freeze()
    view.eventually(lambda: second.leads, "the standby leads", 15)
    set_terminated(view.plane.api, view.namespace, view.pod_of(1))
    view.wait_for_phase("Complete")
    first.thaw()
    view.eventually(lambda: not first.leads, "the old leader has noticed", 10)
    view.apply("next")
    view.pod_of(1, "next")
    assert second.leads
    assert [len(view.jobs()), len(view.jobs("next"))] == [1, 1]
    assert view.status()["phase"] == "Complete"


def test_restarts_lose_nothing_and_make_nothing_twice(view: NamespaceView, start_operator: StartOperator) -> None:
    """Killed again and again while runs begin and end."""
    names = [f"run-{number}" for number in range(6)]
    operator = start_operator("one")
    for number, name in enumerate(names):
        view.apply(name)
        if number % 2:
            operator.kill()
            operator.start(wait=False)
    for name in names:
        set_running(view.plane.api, view.namespace, view.pod_of(1, name))
    operator.kill()
    for name in names:
        set_terminated(view.plane.api, view.namespace, view.pod_of(1, name))
    operator.start()
    for name in names:
        status = view.wait_for_phase("Complete", name)
        assert (len(status["attempts"]), len(view.jobs(name))) == (1, 1)
