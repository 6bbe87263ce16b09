"""The Job of one attempt, as a manifest: made from run, attempt and settings alone, and not changed afterwards."""

from __future__ import annotations

import json
from typing import Any

from modelyard_api import API_VERSION
from modelyard_api.base import seconds
from modelyard_api.grace import GRACE_SECONDS
from modelyard_api.location import S3Location
from modelyard_api.outcome import ExitCode
from modelyard_api.run_document import (
    NODE_NAME_VARIABLE,
    POD_NAME_VARIABLE,
    POD_UID_VARIABLE,
    RUN_ANNOTATION,
    RunDocument,
)
from modelyard_api.spec import Resources, TrainingRunSpec
from modelyard_api.status import Attempt, TrainingRunStatus

from modelyard_operator.domain.clock import Clock
from modelyard_operator.domain.document import run_document
from modelyard_operator.domain.names import (
    ATTEMPT_LABEL,
    CONTAINER,
    GENERATION_ANNOTATION,
    GPU_TYPE_LABEL,
    QUEUE_LABEL,
    RUN_LABEL,
    RUN_UID_LABEL,
    run_label,
)
from modelyard_operator.domain.observed import ObservedRun
from modelyard_operator.domain.pod_volumes import volume_mounts, volumes
from modelyard_operator.domain.settings import RunSettings

Manifest = dict[str, Any]

NON_ROOT = 65532


def job_manifest(
    run: ObservedRun, attempt: Attempt, settings: RunSettings, source: S3Location | None = None
) -> Manifest:
    """The Job of `attempt`.

    Args:
        run: the run, whose spec is readable.
        attempt: as it stands in status.
        settings: the operator's.
        source: where the run that it starts from has published its results.

    Raises:
        ValueError: the run's spec could not be read.
    """
    document = run_document(run, attempt, settings, source)
    spec, resources = document.spec, document.spec.resources
    labels = {
        "app.kubernetes.io/managed-by": "modelyard",
        RUN_LABEL: run_label(run.key.name),
        RUN_UID_LABEL: run.uid,
        ATTEMPT_LABEL: str(attempt.number),
    }
    deadline = active_deadline_seconds(spec, run.status, attempt)
    text = json.dumps(document.to_json_object(), separators=(",", ":"), ensure_ascii=False)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": attempt.job_name,
            "namespace": run.key.namespace,
            "labels": labels | _queue(resources),
            "annotations": {GENERATION_ANNOTATION: str(run.generation)},
            "ownerReferences": [_owner(run)],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            **({"activeDeadlineSeconds": deadline} if deadline is not None else {}),
            **({"suspend": True} if resources.queue else {}),
            "template": {
                "metadata": {"labels": labels, "annotations": {RUN_ANNOTATION: text}},
                "spec": _pod_spec(document, document.image or settings.trainer_image, settings),
            },
        },
    }


def active_deadline_seconds(spec: TrainingRunSpec, status: TrainingRunStatus, attempt: Attempt) -> int | None:
    """What is left of the run's active deadline when the Job of `attempt` starts or is released; None without one.

    A suspended Job's own clock starts anew when it is released, and so the run's has by then counted what is used.
    """
    limit = spec.recovery.active_deadline
    if limit is None:
        return None
    return max(1, round(seconds(limit) - Clock.of(status).at(attempt.started_at).total_seconds()))


def _owner(run: ObservedRun) -> Manifest:
    """Deleting the run deletes Job and pod, with or without an operator to see it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "name": run.key.name,
        "uid": run.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _queue(resources: Resources) -> dict[str, str]:
    return {QUEUE_LABEL: resources.queue} if resources.queue else {}


def _failure_rules() -> list[Manifest]:
    """Rules that write exit code or disruption into the Job's condition, which outlives the pod.

    Never Ignore: that would start a second pod within the attempt.
    """
    codes = sorted(code.value for code in ExitCode if code is not ExitCode.SUCCESS)
    return [
        {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": codes}},
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod_spec(document: RunDocument, image: str, settings: RunSettings) -> Manifest:
    resources = document.spec.resources
    optional: Manifest = {
        "serviceAccountName": resources.service_account_name,
        "priorityClassName": resources.priority_class_name,
        "nodeSelector": _node_selector(resources),
        "tolerations": [toleration.to_json_object() for toleration in resources.tolerations],
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NON_ROOT,
            "runAsGroup": NON_ROOT,
            "fsGroup": NON_ROOT,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **{name: value for name, value in optional.items() if value},
        "containers": [_container(document, image, settings)],
        "volumes": volumes(document, settings),
    }


def _node_selector(resources: Resources) -> dict[str, str]:
    gpu_type = {GPU_TYPE_LABEL: resources.gpu_type} if resources.gpu_type else {}
    return dict(resources.node_selector) | gpu_type


def _container(document: RunDocument, image: str, settings: RunSettings) -> Manifest:
    needs = _needs(document.spec.resources)
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": settings.image_pull_policy,
        "env": _environment(),
        "resources": {"requests": dict(needs), "limits": needs},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": volume_mounts(document),
    }


def _needs(resources: Resources) -> dict[str, str]:
    """Requests equal limits: the pod is Guaranteed, and the last to be evicted."""
    needs = {"cpu": resources.cpu, "memory": resources.memory}
    return needs | {"nvidia.com/gpu": str(resources.gpus)} if resources.gpus else needs


def _environment() -> list[Manifest]:
    fields = {
        POD_UID_VARIABLE: "metadata.uid",
        POD_NAME_VARIABLE: "metadata.name",
        NODE_NAME_VARIABLE: "spec.nodeName",
    }
    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        {"name": "HOME", "value": "/tmp"},  # noqa: S108 - an emptyDir of the pod; the root is read-only
    ]
