"""Where things lie in the API."""

from __future__ import annotations

from modelyard_api import GROUP, VERSION

PLURAL = "trainingruns"


def runs(namespace: str | None) -> str:
    """TrainingRuns of a namespace, or of all."""
    return f"/apis/{GROUP}/{VERSION}{_within(namespace)}/{PLURAL}"


def run(namespace: str, name: str) -> str:
    """One TrainingRun."""
    return f"{runs(namespace)}/{name}"


def run_status(namespace: str, name: str) -> str:
    """Its status."""
    return f"{run(namespace, name)}/status"


def jobs(namespace: str | None) -> str:
    """Jobs of a namespace, or of all."""
    return f"/apis/batch/v1{_within(namespace)}/jobs"


def job(namespace: str, name: str) -> str:
    """One Job."""
    return f"{jobs(namespace)}/{name}"


def pods(namespace: str | None) -> str:
    """Pods of a namespace, or of all."""
    return f"/api/v1{_within(namespace)}/pods"


def config_map(namespace: str, name: str) -> str:
    """One ConfigMap."""
    return f"/api/v1{_within(namespace)}/configmaps/{name}"


def events(namespace: str) -> str:
    """Events of a namespace."""
    return f"/apis/events.k8s.io/v1{_within(namespace)}/events"


def leases(namespace: str) -> str:
    """Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1{_within(namespace)}/leases"


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{name}"


def _within(namespace: str | None) -> str:
    return f"/namespaces/{namespace}" if namespace else ""
