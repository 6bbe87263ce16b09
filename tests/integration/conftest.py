"""A namespace with an operator in it, on the real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.by_hand import set_running

from tests.api.conftest import served
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess, grant

__all__ = ["served"]

StartOperator = Callable[..., OperatorProcess]


@pytest.fixture
def view(served: BareControlPlane, by_hand_namespace: str) -> NamespaceView:
    """A namespace whose pods move only by the test's hand."""
    return NamespaceView(served, by_hand_namespace)


@pytest.fixture
def start_operator(view: NamespaceView, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts replicas that serve the test's namespace: `start_operator("one")`."""
    token = grant(view.plane, view.namespace)
    started: list[OperatorProcess] = []

    def start(name: str = "one", *, wait: bool = True, **flags: object) -> OperatorProcess:
        given = {flag.replace("_", "-"): str(value) for flag, value in flags.items()}
        process = OperatorProcess(view.plane, view.namespace, token, tmp_path, name, given)
        started.append(process)
        return process.start(wait=wait)

    yield start
    for process in started:
        process.thaw_and_kill()


@pytest.fixture
def operator(start_operator: StartOperator) -> OperatorProcess:
    """One replica."""
    return start_operator()


@pytest.fixture
def running_pod(view: NamespaceView, operator: OperatorProcess) -> str:
    """The running pod of run `digits`."""
    view.apply()
    pod = view.pod_of(1)
    set_running(view.plane.api, view.namespace, pod)
    view.wait_for_phase("Running")
    return pod
