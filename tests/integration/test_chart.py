"""What the chart renders: valid, accepted by the real API server, and nothing left to chance."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.tools import ensure_tools, tool

from tests.integration.chart import VARIANTS, documents, helm, template
from tests.integration.operator_process import CHART, REPOSITORY


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
        ({"imageAllowList": "{it's}"}, "/imageAllowList/0"),
        ({"trainerNetworkPolicy.enabled": "true"}, "trainerNetworkPolicy.namespaces: a policy holds in its own"),
    ],
)
def test_wrong_values_are_refused_with_their_name(values: dict[str, str], sentence: str) -> None:
    given = [f"--set={name}={value}" for name, value in values.items()]
    command = [str(tool("helm")), "template", "modelyard", str(CHART), *given]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert sentence in refused.stderr
