"""The CustomResourceDefinition in a real API server, and how manifests are sent there."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import yaml
from modelyard_api.crd import CRD_FILE
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import ApiError

from tests.api.manifests import Manifest

RUNS = "/apis/modelyard.dev/v1alpha1/namespaces/{namespace}/trainingruns"

Send = Callable[[Manifest], Manifest]


@pytest.fixture(scope="session")
def served(control_plane: BareControlPlane) -> BareControlPlane:
    """The control plane once it serves TrainingRuns."""
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = yaml.safe_load(CRD_FILE.read_text())
    try:
        control_plane.api.post(crds, definition)
    except ApiError as refusal:
        # Another test of this session may have installed it.
        if refusal.code != 409:
            raise
    deadline = time.monotonic() + 30
    while not _is_served(control_plane):
        assert time.monotonic() < deadline, "The API server does not serve TrainingRuns after 30 s."
        time.sleep(0.1)
    return control_plane


def _is_served(plane: BareControlPlane) -> bool:
    try:
        plane.api.get(RUNS.format(namespace="default"))
        return "components" in plane.api.get("/openapi/v3/apis/modelyard.dev/v1alpha1")
    except ApiError as refusal:
        if refusal.code not in {404, 429, 503}:
            raise
        return False


@pytest.fixture
def dry_run(served: BareControlPlane) -> Send:
    """Have the API server check a manifest as `kubectl apply` does and return what it would keep. Raises ApiError."""
    path = RUNS.format(namespace="default") + "?dryRun=All&fieldValidation=Strict"
    return lambda manifest: served.api.post(path, manifest)


@pytest.fixture
def create(served: BareControlPlane, namespace: str) -> Send:
    """Create a TrainingRun in the test's namespace and return it. Raises ApiError."""
    return lambda manifest: served.api.post(RUNS.format(namespace=namespace), manifest)
