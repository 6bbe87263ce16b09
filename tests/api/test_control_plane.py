"""The bare control plane is a real one: what the API, operator and benchmark suites lean on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jwt
import pytest
from modelyard_cluster import by_hand
from modelyard_cluster.bare import ISSUER, BareControlPlane
from modelyard_cluster.daemons import runs_program
from modelyard_cluster.kube_api import ApiError
from modelyard_cluster.kwok import RUN_TIME_ANNOTATION
from modelyard_cluster.tools import ensure_tools
from modelyard_cluster.toolsets import PROGRAMS

T = TypeVar("T")


def test_is_the_pinned_kubernetes(control_plane: BareControlPlane) -> None:
    version = control_plane.api.get("/version")["gitVersion"]
    assert version == PROGRAMS["kube-apiserver"].version == "v1.36.3"
    assert f"Server Version: {version}" in control_plane.kubectl("version")


def test_a_job_that_asks_for_a_gpu_completes_on_a_simulated_node(
    control_plane: BareControlPlane, namespace: str
) -> None:
    _create_job(control_plane, namespace, gpus=8)
    job = _wait(lambda: _finished(control_plane, namespace))
    assert _conditions(job) >= {"Complete", "SuccessCriteriaMet"}
    assert job["status"]["succeeded"] == 1
    [pod] = _pods(control_plane, namespace)
    assert pod["spec"]["nodeName"].startswith("kwok-")
    container = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert container["exitCode"] == 0
    assert {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} <= {
        toleration["key"] for toleration in pod["spec"]["tolerations"]
    }


def test_a_job_that_asks_for_more_gpus_than_a_node_has_waits(control_plane: BareControlPlane, namespace: str) -> None:
    _create_job(control_plane, namespace, gpus=1001)
    pod = _wait(lambda: next((p for p in _pods(control_plane, namespace) if p["status"].get("conditions")), None))
    [scheduled] = [c for c in pod["status"]["conditions"] if c["type"] == "PodScheduled"]
    assert scheduled["status"] == "False"
    assert "Insufficient nvidia.com/gpu" in scheduled["message"]


def test_a_pod_sets_its_own_run_time(control_plane: BareControlPlane, namespace: str) -> None:
    _create_job(control_plane, namespace, annotations={RUN_TIME_ANNOTATION: "1h"})
    _wait(lambda: [p for p in _pods(control_plane, namespace) if p["status"]["phase"] == "Running"] or None)
    time.sleep(2)
    assert _finished(control_plane, namespace) is None


def test_a_pod_ends_by_hand_as_a_kubelet_would_end_it(control_plane: BareControlPlane, by_hand_namespace: str) -> None:
    _create_job(control_plane, by_hand_namespace)
    pod = _wait(lambda: next((p for p in _pods(control_plane, by_hand_namespace) if p["spec"].get("nodeName")), None))
    time.sleep(1.5)
    [pod] = _pods(control_plane, by_hand_namespace)
    assert pod["status"]["phase"] == "Pending"

    name = pod["metadata"]["name"]
    by_hand.set_running(control_plane.api, by_hand_namespace, name)
    _wait(lambda: _job(control_plane, by_hand_namespace)["status"].get("ready") or None)

    by_hand.set_terminated(
        control_plane.api, by_hand_namespace, name, exit_code=42, message='{"outcome": "user-error"}'
    )
    job = _wait(lambda: _finished(control_plane, by_hand_namespace))
    [failed] = [c for c in job["status"]["conditions"] if c["type"] == "Failed"]
    assert failed["reason"] == "PodFailurePolicy"
    assert "exit code 42" in failed["message"]


def test_a_projected_token_verifies_against_the_clusters_keys(control_plane: BareControlPlane, namespace: str) -> None:
    _create_job(control_plane, namespace, annotations={RUN_TIME_ANNOTATION: "1h"})
    pod = _wait(lambda: next(iter(_pods(control_plane, namespace)), None))
    token = control_plane.service_account_token(
        namespace, "default", audience="modelyard-intake", pod=pod["metadata"]["name"], seconds=600
    )

    keys = jwt.PyJWKSet.from_dict(control_plane.api.get("/openid/v1/jwks"))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="modelyard-intake", issuer=ISSUER)

    assert claims["kubernetes.io"]["pod"] == {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["RS256"], audience=ISSUER, issuer=ISSUER)


def test_rights_are_checked(control_plane: BareControlPlane, namespace: str, tmp_path: Path) -> None:
    token = control_plane.service_account_token(namespace, "default")
    limited = control_plane.client(token)
    assert "batch" in {group["name"] for group in limited.get("/apis")["groups"]}
    with pytest.raises(ApiError, match="cannot list resource") as refusal:
        limited.get(f"/api/v1/namespaces/{namespace}/secrets")
    assert refusal.value.code == 403
    assert control_plane.write_kubeconfig(tmp_path / "limited", token).stat().st_mode & 0o077 == 0


def test_nothing_is_left_when_its_owner_is_killed(tmp_path: Path) -> None:
    """The benchmarks and pytest itself may be killed: the control plane must go with them."""
    script = f"""
import pathlib, time
from modelyard_cluster.bare import bare_control_plane
with bare_control_plane(pathlib.Path({str(tmp_path)!r})) as plane:
    print(*(f"{{name}}={{daemon.pid}}" for name, daemon in plane.daemons.items()), flush=True)
    time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = {name: int(pid) for name, pid in (word.split("=") for word in owner.stdout.readline().split())}
    programs = ensure_tools(*pids)
    assert len(pids) == 4
    assert all(runs_program(pid, programs / name) for name, pid in pids.items())

    owner.kill()
    owner.wait()

    _wait(lambda: not any(runs_program(pid, programs / name) for name, pid in pids.items()) or None)


def _create_job(
    plane: BareControlPlane, namespace: str, *, gpus: int = 1, annotations: dict[str, str] | None = None
) -> None:
    container = {"name": "main", "image": "none", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    job = {
        "metadata": {"name": "job"},
        "spec": {
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "main", "operator": "NotIn", "values": [0]},
                    }
                ]
            },
            "template": {
                "metadata": {"annotations": annotations or {}},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }
    plane.api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)


def _job(plane: BareControlPlane, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = plane.api.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/job")
    return found


def _pods(plane: BareControlPlane, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plane.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return found


def _finished(plane: BareControlPlane, namespace: str) -> dict[str, Any] | None:
    job = _job(plane, namespace)
    return job if _conditions(job) & {"Complete", "Failed"} else None


def _conditions(job: dict[str, Any]) -> set[str]:
    return {c["type"] for c in job["status"].get("conditions", []) if c["status"] == "True"}


def _wait(look: Callable[[], T | None], seconds: float = 30.0) -> T:
    """What `look` finds as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"Nothing within {seconds:.0f} s."
        time.sleep(0.05)
    return found
