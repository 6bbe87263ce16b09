"""The CustomResourceDefinition in a real API server, and how manifests are sent there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from modelyard_api.crd import CRD_FILE
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.definitions import install_definition

from tests.api.manifests import Manifest

RUNS = "/apis/modelyard.dev/v1alpha1/namespaces/{namespace}/trainingruns"

Send = Callable[[Manifest], Manifest]


@pytest.fixture(scope="session")
def served(control_plane: BareControlPlane) -> BareControlPlane:
    """The control plane once it serves TrainingRuns."""
    install_definition(control_plane.api, yaml.safe_load(CRD_FILE.read_text()))
    return control_plane


@pytest.fixture
def dry_run(served: BareControlPlane) -> Send:
    """Have the API server check a manifest as `kubectl apply` does and return what it would keep. Raises ApiError."""
    path = RUNS.format(namespace="default") + "?dryRun=All&fieldValidation=Strict"
    return lambda manifest: served.api.post(path, manifest)


@pytest.fixture
def create(served: BareControlPlane, namespace: str) -> Send:
    """Create a TrainingRun in the test's namespace and return it. Raises ApiError."""
    return lambda manifest: served.api.post(RUNS.format(namespace=namespace), manifest)
