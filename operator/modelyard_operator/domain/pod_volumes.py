"""What a trainer's pod mounts: its document, its token, its credentials, and room to work in."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from modelyard_api.location import VolumeLocation
from modelyard_api.report import AUDIENCE
from modelyard_api.run_document import (
    ARTIFACTS_CREDENTIALS_FOLDER,
    DATASET_CREDENTIALS_FOLDER,
    DATASET_VOLUME_FOLDER,
    INTAKE_CA_FOLDER,
    RUN_ANNOTATION,
    RUN_DOCUMENT_FILE,
    SCRATCH_FOLDER,
    TOKEN_FILE,
    WEIGHTS_CREDENTIALS_FOLDER,
    WEIGHTS_VOLUME_FOLDER,
    RunDocument,
)

from modelyard_operator.domain.settings import RunSettings

TOKEN_SECONDS = 3600
_OWNER_AND_GROUP = 0o440
_TEMPORARY = "4Gi"


def volumes(document: RunDocument, settings: RunSettings) -> list[dict[str, Any]]:
    """The pod's volumes. What may be missing is optional: the trainer says so better than a pod that never starts."""
    room = document.spec.resources
    return [
        {"name": "run", "downwardAPI": {"items": [_document()]}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": _token()}]}},
        {"name": "intake-ca", "configMap": {"name": settings.intake_config_map, "optional": True}},
        *(_credentials(name, secret) for name, secret, _ in _secrets(document)),
        *(_claimed(name, location) for name, location, _ in _claims(document)),
        {"name": "scratch", "emptyDir": {"sizeLimit": room.scratch}},
        {"name": "tmp", "emptyDir": {"sizeLimit": _TEMPORARY}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": room.shared_memory}},
    ]


def volume_mounts(document: RunDocument) -> list[dict[str, Any]]:
    """Where the container finds them."""
    return [
        _mount("run", RUN_DOCUMENT_FILE.parent, read_only=True),
        _mount("token", TOKEN_FILE.parent, read_only=True),
        _mount("intake-ca", INTAKE_CA_FOLDER, read_only=True),
        *(_mount(name, folder, read_only=True) for name, _, folder in _secrets(document)),
        *(_mount(name, folder, read_only=True) for name, _, folder in _claims(document)),
        _mount("scratch", SCRATCH_FOLDER),
        _mount("tmp", PurePosixPath("/tmp")),  # noqa: S108 - the pod's own
        _mount("shm", PurePosixPath("/dev/shm")),  # noqa: S108
    ]


def _secrets(document: RunDocument) -> list[tuple[str, str, PurePosixPath]]:
    """Volume, Secret and folder of each place that is reached with a Secret."""
    spec = document.spec
    start, pretrained = spec.model.start, spec.model.pretrained
    weights = document.source or (start.s3 if start else None) or (pretrained.s3 if pretrained else None)
    places = (
        ("dataset-credentials", spec.dataset.s3, DATASET_CREDENTIALS_FOLDER),
        ("artifacts-credentials", spec.artifacts.s3, ARTIFACTS_CREDENTIALS_FOLDER),
        ("weights-credentials", weights, WEIGHTS_CREDENTIALS_FOLDER),
    )
    return [
        (name, location.secret_ref.name, folder)
        for name, location, folder in places
        if location is not None and location.secret_ref is not None
    ]


def _credentials(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "secret": {"secretName": secret, "optional": True, "defaultMode": _OWNER_AND_GROUP}}


def _claims(document: RunDocument) -> list[tuple[str, VolumeLocation, PurePosixPath]]:
    """Volume, claim and folder of what lies on volumes of others."""
    places = (
        ("dataset", document.spec.dataset.volume, DATASET_VOLUME_FOLDER),
        ("weights", document.spec.model.volume, WEIGHTS_VOLUME_FOLDER),
    )
    return [(name, location, folder) for name, location, folder in places if location is not None]


def _claimed(name: str, location: VolumeLocation) -> dict[str, Any]:
    # Read-only here, too: the kubelet would otherwise give all its files to the pod's group. What the
    # pod's user may not read, the trainer refuses.
    return {"name": name, "persistentVolumeClaim": {"claimName": location.claim_name, "readOnly": True}}


def _document() -> dict[str, Any]:
    field = {"fieldPath": f"metadata.annotations['{RUN_ANNOTATION}']"}
    return {"path": RUN_DOCUMENT_FILE.name, "fieldRef": field}


def _token() -> dict[str, Any]:
    return {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": TOKEN_FILE.name}


def _mount(name: str, path: PurePosixPath, *, read_only: bool = False) -> dict[str, Any]:
    return {"name": name, "mountPath": str(path), **({"readOnly": True} if read_only else {})}
