"""What the chart renders: valid, accepted by the real API server, and with no right too many."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.tools import ensure_tools, tool

from tests.integration.operator_process import CHART, REPOSITORY

VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one replica": {"replicaCount": "1"},
    "two namespaces": {"watchNamespaces": "{default,kube-public}"},
    "everything": {
        "intake.existingSecret": "intake-tls",
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets[0].name": "registry",
        "trainer.imagePullSecrets": "{registry}",
        "nodeSelector.pool": "system",
        "podAnnotations.note": "hello",
        "operator.env[0].name": "A",
        "operator.env[0].value": "b",
    },
    "as little as can be": {
        "crds.install": "false",
        "networkPolicy.enabled": "false",
        "podDisruptionBudget.enabled": "false",
        "userRoles.enabled": "false",
    },
}


def helm(*arguments: str) -> str:
    command = [str(tool("helm")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def template(values: dict[str, str], *more: str) -> str:
    given = [f"--set={name}={value}" for name, value in values.items()]
    return helm("template", "modelyard", str(CHART), "--namespace=modelyard", *given, *more)


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    ensure_tools("helm", "kubeconform", "kube-score")


@pytest.fixture(scope="module")
def schemas(control_plane: BareControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The API server's own schemas as kubeconform reads them, strict about unknown fields."""
    folder = tmp_path_factory.mktemp("schemas")
    definitions = control_plane.api.get("/openapi/v2")["definitions"]
    for definition in definitions.values():
        if "properties" in definition and not definition.get("x-kubernetes-preserve-unknown-fields"):
            definition.setdefault("additionalProperties", False)
    # As the API server writes them, and as JSON schema has them.
    for name in ("IntOrString", "Quantity"):
        for path, definition in definitions.items():
            if path.endswith(f".{name}"):
                definition.pop("type", None)
                definition["oneOf"] = [{"type": "string"}, {"type": "number"}]
    for path, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            name = "-".join(part for part in (kind["kind"], group, kind["version"]) if part).lower()
            schema = {"$ref": f"#/definitions/{path}", "definitions": definitions}
            if path.endswith(("Deployment", "Role", "Binding", "Service", "Account", "Budget", "Policy", "Definition")):
                (folder / f"{name}.json").write_text(json.dumps(schema))
    return folder


def test_helm_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def kubeconform(manifests: str, schemas: Path) -> subprocess.CompletedProcess[str]:
    location = f"-schema-location={schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    command = [str(tool("kubeconform")), "-strict", "-summary", location]
    return subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_it_conforms_to_the_api_server_s_schemas(values: dict[str, str], schemas: Path) -> None:
    checked = kubeconform(template(values), schemas)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in checked.stdout


def test_a_slip_of_the_pen_would_be_noticed(schemas: Path) -> None:
    assert "replikas" in kubeconform(template({}).replace("replicas:", "replikas:"), schemas).stdout


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_the_api_server_would_take_it(values: dict[str, str], control_plane: BareControlPlane, installed: None) -> None:
    accepted = control_plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--force-conflicts", "--filename=-", stdin=template(values)
    )
    assert "serverside-applied" in accepted


@pytest.fixture(scope="module")
def installed(control_plane: BareControlPlane) -> Iterator[None]:
    control_plane.api.post("/api/v1/namespaces", {"metadata": {"name": "modelyard"}})
    yield
    control_plane.api.delete("/api/v1/namespaces/modelyard")


def test_kube_score_has_nothing_to_say() -> None:
    """The pull policy apart: images are named by version, and a node that has one need not ask the registry."""
    scored = subprocess.run(
        [str(tool("kube-score")), "score", "--ignore-test=container-image-pull-policy", "--output-format=ci", "-"],
        input=template({"crds.install": "false"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert scored.returncode == 0, scored.stdout
    assert "[CRITICAL]" not in scored.stdout


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_no_secrets_no_wildcards_no_escalation(values: dict[str, str]) -> None:
    roles = [one for one in documents(template(values)) if one["kind"] in ("Role", "ClusterRole")]
    rules = [rule for role in roles for rule in role["rules"]]
    assert rules
    for rule in rules:
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
        assert not {"secrets", "serviceaccounts/token", "pods/exec", "roles", "clusterroles"} & set(rule["resources"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        if "configmaps" in rule["resources"] or "leases" in rule["resources"]:
            assert rule["verbs"] == ["create"] or "resourceNames" in rule
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) == {"list", "watch"}


def test_one_namespace_needs_no_cluster_role_but_the_users() -> None:
    kinds = {
        (one["kind"], one["metadata"]["name"])
        for one in documents(template({"watchNamespaces": "{vision}"}))
        if one["kind"].startswith("ClusterRole")
    }
    assert kinds == {("ClusterRole", "modelyard-modelyard-view"), ("ClusterRole", "modelyard-modelyard-edit")}


def test_the_crd_is_kept_unless_asked_otherwise() -> None:
    def annotations(values: dict[str, str]) -> dict[str, str]:
        (crd,) = [one for one in documents(template(values)) if one["kind"] == "CustomResourceDefinition"]
        return dict(crd["metadata"].get("annotations") or {})

    assert annotations({})["helm.sh/resource-policy"] == "keep"
    assert "helm.sh/resource-policy" not in annotations({"crds.keep": "false"})


def test_its_crd_is_the_generated_one() -> None:
    for crd in (REPOSITORY / "crds").glob("*.yaml"):
        assert (CHART / "files" / crd.name).read_text() == crd.read_text(), "run `make generate`"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicaCount": "0"}, "/replicaCount"),
        ({"watchNamespaces": "{Not_A_Name}"}, "/watchNamespaces/0"),
        ({"image.pullPolicy": "Sometimes"}, "/image/pullPolicy"),
        ({"replicas": "3"}, "replicas"),
        ({"operator.logLevel": "LOUD"}, "/operator/logLevel"),
    ],
)
def test_wrong_values_are_refused_with_their_name(values: dict[str, str], sentence: str) -> None:
    given = [f"--set={name}={value}" for name, value in values.items()]
    command = [str(tool("helm")), "template", "modelyard", str(CHART), *given]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert sentence in refused.stderr
