"""What the chart lets the operator do: written down, and no right too many. tests/chaos/test_rights.py uses each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from modelyard_cluster.tools import ensure_tools

from tests.integration.chart import VARIANTS, documents, template

GOLDEN = Path(__file__).parent / "golden"
INSTALLS = {"whole-cluster": {}, "two-namespaces": {"watchNamespaces": "{speech,vision}"}}
NEVER = {
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/ephemeralcontainers",
    "nodes",
    "nodes/proxy",
    "services/proxy",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "certificatesigningrequests",
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
}
"""What leads to the rights of others, or to what their pods hold."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    ensure_tools("helm")


@pytest.mark.parametrize(("name", "values"), INSTALLS.items(), ids=INSTALLS)
def test_the_roles_are_the_golden_ones(name: str, values: dict[str, str]) -> None:
    """Run with UPDATE_GOLDEN=1 to write them anew, and read the difference."""
    text = yaml.safe_dump_all(map(without_labels, rendered(values)), sort_keys=False, width=120)
    golden = GOLDEN / f"rbac-{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_no_secrets_no_wildcards_no_escalation(values: dict[str, str]) -> None:
    rules = [rule for role in rendered(values) for rule in role.get("rules", ())]
    assert rules
    for rule in rules:
        assert "nonResourceURLs" not in rule
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"] + rule.get("resourceNames", [])
        assert not NEVER & set(rule["resources"])
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        if "configmaps" in rule["resources"] or "leases" in rule["resources"]:
            assert rule["verbs"] == ["create"] or "resourceNames" in rule
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) == {"list", "watch"}


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_users_are_given_runs_and_nothing_else(values: dict[str, str]) -> None:
    roles = [one for one in documents(template(values)) if one["kind"] == "ClusterRole"]
    for rule in (rule for role in roles if "aggregat" in str(role["metadata"]["labels"]) for rule in role["rules"]):
        assert (rule["apiGroups"], rule["resources"]) == (["modelyard.dev"], ["trainingruns"])


def test_what_serves_two_namespaces_may_do_nothing_elsewhere() -> None:
    roles = rendered(INSTALLS["two-namespaces"])
    assert {one["kind"] for one in roles} == {"ServiceAccount", "Role", "RoleBinding"}
    assert {one["metadata"]["namespace"] for one in roles} == {"modelyard", "speech", "vision"}
    (own,) = [one for one in roles if one["kind"] == "Role" and one["metadata"]["namespace"] == "modelyard"]
    assert {resource for rule in own["rules"] for resource in rule["resources"]} == {"leases"}


def rendered(values: dict[str, str]) -> list[dict[str, Any]]:
    """The operator's service account, roles and bindings."""
    shown = ("--show-only=templates/serviceaccount.yaml", "--show-only=templates/rbac.yaml")
    return documents(template(values, *shown))


def without_labels(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "labels"}
    return {**manifest, "metadata": metadata}
