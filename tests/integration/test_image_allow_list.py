"""The chart's list of allowed images on the real API server: what runs may name, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import ApiError
from modelyard_cluster.tools import ensure_tools
from modelyard_operator.kube import paths

from tests.api.manifests import Manifest, changed
from tests.conftest import namespace_of_its_own
from tests.integration.chart import documents, template
from tests.integration.namespace_view import NamespaceView

ALLOWED = ("registry.example.com", "quay.example.com/vision/", "docker.example.com/team/trainer", "trainer:1.2")
POLICIES = "/apis/admissionregistration.k8s.io/v1"
IN_USE = "attic.example.com/trainer:1"


@pytest.fixture(scope="module")
def guarded(served: BareControlPlane) -> Iterator[NamespaceView]:
    """A namespace where the list holds, with one run from before it did."""
    ensure_tools("helm")
    with namespace_of_its_own(served, "images") as namespace:
        view = NamespaceView(served, namespace)
        view.apply("from-before", resources__image=IN_USE)
        values = {"imageAllowList": f"{{{','.join(ALLOWED)}}}", "watchNamespaces": f"{{{namespace}}}"}
        made = documents(template(values, "--show-only=templates/image-allow-list.yaml"))
        for one in made:
            served.api.post(f"{POLICIES}/{plural(one)}", one)
        view.eventually(lambda: refusal(view, "evil.example.com/x"), "the policy is in force")
        yield view
        for one in made:
            served.api.delete(f"{POLICIES}/{plural(one)}/{one['metadata']['name']}")


@pytest.mark.parametrize(
    "image",
    [
        None,
        "registry.example.com/any/thing:1",
        "quay.example.com/vision/trainer@sha256:" + "0" * 64,
        "docker.example.com/team/trainer",
        "docker.example.com/team/trainer:2",
        "docker.example.com/team/trainer@sha256:" + "0" * 64,
        "trainer:1.2",
    ],
)
def test_what_is_on_the_list_is_allowed(guarded: NamespaceView, image: str | None) -> None:
    assert refusal(guarded, image) is None


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com.evil.org/x",
        "registry.example.com:5000/x",
        "registry.example.comx/x",
        "quay.example.com/visionary/x",
        "quay.example.com/vision",
        "docker.example.com/team/trainer-of-mine",
        "docker.example.com/other/trainer",
        "evil.org/registry.example.com/x",
        "trainer:1.20",
        "TRAINER:1.2",
    ],
)
def test_anything_else_is_refused_in_a_sentence(guarded: NamespaceView, image: str) -> None:
    said = refusal(guarded, image)
    assert said is not None
    assert f"spec.resources.image: {image} is not among the images that this cluster allows (" in said
    assert f"({', '.join(ALLOWED)}); leave it out for the operator's own" in said


def test_a_run_from_before_may_be_suspended_but_not_given_another_such_image(guarded: NamespaceView) -> None:
    guarded.patch("from-before", {"suspend": True})
    assert guarded.run("from-before")["spec"]["suspend"] is True
    with pytest.raises(ApiError, match="is not among the images"):
        guarded.patch("from-before", {"resources": {"image": "evil.example.com/x"}})
    guarded.patch("from-before", {"resources": {"image": None}})
    assert "image" not in guarded.run("from-before")["spec"]["resources"]


def test_the_api_server_finds_nothing_wrong_with_the_policy(guarded: NamespaceView) -> None:
    def checked() -> list[dict[str, Any]]:
        policies = guarded.plane.api.get(f"{POLICIES}/validatingadmissionpolicies")["items"]
        ours = [one for one in policies if one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "modelyard"]
        return [one["status"] for one in ours if one.get("status", {}).get("observedGeneration")]

    (status,) = guarded.eventually(checked, "its types were checked")
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []


def test_other_namespaces_are_left_alone(guarded: NamespaceView, namespace: str) -> None:
    other = NamespaceView(guarded.plane, namespace)
    assert refusal(other, "evil.example.com/x") is None


def refusal(view: NamespaceView, image: str | None) -> str | None:
    """What is said to a run with this image; None where it would be taken."""
    changes: Manifest = {"metadata.name": "tried", **({"spec.resources.image": image} if image else {})}
    try:
        view.plane.api.post(f"{paths.runs(view.namespace)}?dryRun=All", changed(changes))
    except ApiError as refused:
        assert refused.code in (403, 422)
        return str(refused)
    return None


def plural(manifest: Manifest) -> str:
    kind = manifest["kind"].lower()
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
