"""What a trainer's pod mounts: its document, its token, its credentials, and room to work in."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from modelyard_api.report import AUDIENCE
from modelyard_api.run_document import (
    ARTIFACTS_CREDENTIALS_FOLDER,
    DATASET_CREDENTIALS_FOLDER,
    INTAKE_CA_FOLDER,
    RUN_ANNOTATION,
    RUN_DOCUMENT_FILE,
    SCRATCH_FOLDER,
    TOKEN_FILE,
)
from modelyard_api.spec import TrainingRunSpec

from modelyard_operator.domain.settings import RunSettings

TOKEN_SECONDS = 3600
_OWNER_AND_GROUP = 0o440
_TEMPORARY = "4Gi"


def volumes(spec: TrainingRunSpec, settings: RunSettings) -> list[dict[str, Any]]:
    """The pod's volumes. What may be missing is optional: the trainer says so better than a pod that never starts."""
    room = spec.resources
    return [
        {"name": "run", "downwardAPI": {"items": [_document()]}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": _token()}]}},
        {"name": "intake-ca", "configMap": {"name": settings.intake_config_map, "optional": True}},
        *(_credentials(name, secret) for name, secret, _ in _secrets(spec)),
        {"name": "scratch", "emptyDir": {"sizeLimit": room.scratch}},
        {"name": "tmp", "emptyDir": {"sizeLimit": _TEMPORARY}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": room.shared_memory}},
    ]


def volume_mounts(spec: TrainingRunSpec) -> list[dict[str, Any]]:
    """Where the container finds them."""
    return [
        _mount("run", RUN_DOCUMENT_FILE.parent, read_only=True),
        _mount("token", TOKEN_FILE.parent, read_only=True),
        _mount("intake-ca", INTAKE_CA_FOLDER, read_only=True),
        *(_mount(name, folder, read_only=True) for name, _, folder in _secrets(spec)),
        _mount("scratch", SCRATCH_FOLDER),
        _mount("tmp", PurePosixPath("/tmp")),  # noqa: S108 - the pod's own
        _mount("shm", PurePosixPath("/dev/shm")),  # noqa: S108
    ]


def _secrets(spec: TrainingRunSpec) -> list[tuple[str, str, PurePosixPath]]:
    """Volume, Secret and folder of each place that is reached with a Secret."""
    places = (
        ("dataset-credentials", spec.dataset.s3, DATASET_CREDENTIALS_FOLDER),
        ("artifacts-credentials", spec.artifacts.s3, ARTIFACTS_CREDENTIALS_FOLDER),
    )
    return [
        (name, location.secret_ref.name, folder)
        for name, location, folder in places
        if location is not None and location.secret_ref is not None
    ]


def _credentials(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "secret": {"secretName": secret, "optional": True, "defaultMode": _OWNER_AND_GROUP}}


def _document() -> dict[str, Any]:
    field = {"fieldPath": f"metadata.annotations['{RUN_ANNOTATION}']"}
    return {"path": RUN_DOCUMENT_FILE.name, "fieldRef": field}


def _token() -> dict[str, Any]:
    return {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": TOKEN_FILE.name}


def _mount(name: str, path: PurePosixPath, *, read_only: bool = False) -> dict[str, Any]:
    return {"name": name, "mountPath": str(path), **({"readOnly": True} if read_only else {})}
