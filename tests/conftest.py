"""What every test may ask for."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from modelyard_cluster.bare import BareControlPlane, BareOptions, bare_control_plane
from modelyard_cluster.kwok import BY_HAND

pytest_plugins = ["tests.rotation"]

# Before any test imports it: ONNX Runtime reports to its makers unless told not to.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareControlPlane]:
    """A real API server, controllers, scheduler and two simulated nodes; a Job's pod runs there for 1 s.

    They have GPUs enough for the pods that other tests have left to themselves.

    As in OpenShift, whoever makes an owner reference that blocks the owner's deletion has to be allowed to.

    The programs are built if they are missing, which takes minutes the first time.
    """
    strict = ("--enable-admission-plugins=OwnerReferencesPermissionEnforcement",)
    options = BareOptions(kwok_nodes=2, gpus_per_node=1000, api_server_flags=strict)
    with bare_control_plane(tmp_path_factory.mktemp("control-plane"), options) as plane:
        yield plane


@pytest.fixture
def namespace(control_plane: BareControlPlane) -> Iterator[str]:
    """A namespace of the test's own; pods in it run and succeed by themselves."""
    with namespace_of_its_own(control_plane, "test") as name:
        yield name


@pytest.fixture
def by_hand_namespace(control_plane: BareControlPlane) -> Iterator[str]:
    """A test's own namespace, whose pods stay Pending until it moves them on with modelyard_cluster.by_hand."""
    with namespace_of_its_own(control_plane, BY_HAND) as name:
        yield name


@contextmanager
def namespace_of_its_own(plane: BareControlPlane, prefix: str) -> Iterator[str]:
    """A new namespace, deleted afterwards; the name begins with `prefix`."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    plane.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    plane.wait_for_service_account(name)
    yield name
    plane.api.delete(f"/api/v1/namespaces/{name}")
