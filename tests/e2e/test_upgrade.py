"""`helm upgrade` and how much the operator watches."""

from __future__ import annotations

import pytest
from modelyard_cluster.install import install

from tests.e2e.yard import OPERATOR_VALUES, Yard

pytestmark = pytest.mark.disturbing


def test_helm_upgrade_loses_no_live_run(yard: Yard) -> None:
    """An upgrade that replaces the operator's pod leaves a live run its pod, and the run completes in one attempt."""
    (run,) = yard.start(yard.quick("outlives-an-upgrade").for_epochs(25))
    run.until_epoch(1)
    before = {pod["metadata"]["name"] for pod in yard.operator.all("pods")}
    pod = run.pod()["metadata"]["uid"]

    annotations = {"modelyard.dev/test": "upgraded"}
    install(yard.cluster, yard.image, values={**OPERATOR_VALUES, "podAnnotations": annotations})

    after = {pod["metadata"]["name"] for pod in yard.operator.all("pods") if "deletionTimestamp" not in pod["metadata"]}
    assert not before & after
    assert run.pod()["metadata"]["uid"] == pod
    status = run.wait("Complete")
    assert status["currentAttempt"] == 1
    assert status["progress"]["epoch"] == 25


@pytest.mark.long
def test_a_namespaced_installation_keeps_to_its_namespaces(yard: Yard) -> None:
    """With `watchNamespaces` the operator needs no ClusterRole, serves those namespaces and leaves others alone."""
    other = yard.kubectl.within("elsewhere")
    other.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})
    install(yard.cluster, yard.image, values={**OPERATOR_VALUES, "watchNamespaces": ["vision"]})
    try:
        user = yard.operator_service_account
        assert not yard.kubectl.may("list", "trainingruns", "--all-namespaces", f"--as={user}")
        (inside,) = yard.start(yard.quick("inside").for_epochs(1))
        other.apply(yard.quick("outside").in_namespace("elsewhere").manifest())

        inside.wait("Complete")
        assert "status" not in other.get("trun", "outside")
    finally:
        other("delete", "trun", "--all")
        install(yard.cluster, yard.image, values=OPERATOR_VALUES)
