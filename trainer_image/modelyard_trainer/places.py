"""Where a run takes place: scratch space, credentials and the way to the results."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from modelyard_api.layout import RunLayout
from modelyard_api.location import VolumeLocation
from modelyard_api.outcome import Reason
from modelyard_api.run_document import (
    ARTIFACTS_CREDENTIALS_FOLDER,
    DATASET_CREDENTIALS_FOLDER,
    MOUNT,
    POD_UID_VARIABLE,
    WEIGHTS_CREDENTIALS_FOLDER,
    RunDocument,
)

from modelyard_trainer.checkpoints.folder import FolderShelf
from modelyard_trainer.checkpoints.keeper import KeptCheckpoints
from modelyard_trainer.checkpoints.shelf import Shelf
from modelyard_trainer.destination import Destination, FolderDestination
from modelyard_trainer.errors import RunError
from modelyard_trainer.progress import Progress

if TYPE_CHECKING:
    from modelyard_trainer.store.s3 import S3Store


@dataclass(frozen=True)
class Places:
    """A computer's places for one attempt."""

    scratch: Path
    mount: Path = Path(MOUNT)
    """Folder that the operator's volumes are mounted below."""
    pod_uid: str = field(default_factory=lambda: os.environ.get(POD_UID_VARIABLE) or f"local-{uuid.uuid4()}")
    in_cluster: bool = field(default_factory=lambda: POD_UID_VARIABLE in os.environ)

    @property
    def dataset_credentials(self) -> Path:
        """Folder with the files of the Secret for the data set."""
        return self.mount / DATASET_CREDENTIALS_FOLDER.relative_to(MOUNT)

    @property
    def artifacts_credentials(self) -> Path:
        """Folder with the files of the Secret for the results."""
        return self.mount / ARTIFACTS_CREDENTIALS_FOLDER.relative_to(MOUNT)

    @property
    def weights_credentials(self) -> Path:
        """Folder with the files of the Secret for the weights to start from."""
        return self.mount / WEIGHTS_CREDENTIALS_FOLDER.relative_to(MOUNT)

    def volume(self, folder: PurePosixPath, location: VolumeLocation, field: str) -> Path:
        """A place on a volume that the operator has mounted.

        Args:
            folder: where it is mounted in a pod.
            location: what the spec says.
            field: that says it.

        Raises:
            RunError: SpecInvalid; there is no operator that could have mounted it.
        """
        if not self.in_cluster:
            raise RunError(
                Reason.SPEC_INVALID,
                f"{field}: only a cluster knows the claim {location.claim_name}; s3 or path would be right",
            )
        return self.mount / folder.relative_to(MOUNT) / location.path

    def destination(self, document: RunDocument) -> Destination:
        """Where this run's results go.

        Raises:
            RunError: SpecInvalid; the spec names no place.
        """
        artifacts = document.spec.artifacts
        if artifacts.path is not None:
            return FolderDestination(Path(artifacts.path))
        from modelyard_trainer.store.destination import S3Destination  # noqa: PLC0415 - boto3, half a second

        return S3Destination(self._artifacts_store(document), document, self.pod_uid)

    def checkpoints(self, document: RunDocument, progress: Progress) -> KeptCheckpoints:
        """Who keeps this run's checkpoints: beside its results.

        Raises:
            RunError: SpecInvalid; the spec names no place.
        """
        return KeptCheckpoints(
            self._shelf(document), document, pod_uid=self.pod_uid, scratch=self.scratch, progress=progress
        )

    def _shelf(self, document: RunDocument) -> Shelf:
        if document.spec.artifacts.path is not None:
            return FolderShelf(Path(document.spec.artifacts.path), document.uid)
        from modelyard_trainer.checkpoints.s3 import S3Shelf  # noqa: PLC0415 - boto3

        root = RunLayout("", document.namespace, document.name, document.uid).root
        return S3Shelf(self._artifacts_store(document), root)

    def _artifacts_store(self, document: RunDocument) -> S3Store:
        from modelyard_trainer.store.open import open_store  # noqa: PLC0415 - boto3

        location = document.spec.artifacts.s3
        if location is None:
            raise RunError(Reason.SPEC_INVALID, "spec.artifacts: it names no place; s3 or path would be right")
        return open_store(location, self.artifacts_credentials, in_cluster=self.in_cluster, what="artifacts")
