"""The run document: all that the trainer knows of its run.

The operator writes it; on a laptop `modelyard train` makes it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field

from modelyard_api import GROUP
from modelyard_api.base import ApiModel
from modelyard_api.spec import TrainingRunSpec

RUN_ANNOTATION = f"{GROUP}/run"
"""Annotation of the pod template that carries the document."""

MOUNT = PurePosixPath("/var/run/modelyard")
RUN_DOCUMENT_FILE = MOUNT / "run" / "run.json"
TOKEN_FILE = MOUNT / "token" / "token"
INTAKE_CA_FOLDER = MOUNT / "intake-ca"
DATASET_CREDENTIALS_FOLDER = MOUNT / "s3" / "dataset"
ARTIFACTS_CREDENTIALS_FOLDER = MOUNT / "s3" / "artifacts"
"""Folders with one file for each key of the Secret (AWS_ACCESS_KEY_ID, ...), mounted as optional volumes."""
SCRATCH_FOLDER = PurePosixPath("/scratch")

POD_UID_VARIABLE = "MODELYARD_POD_UID"
POD_NAME_VARIABLE = "MODELYARD_POD_NAME"
NODE_NAME_VARIABLE = "MODELYARD_NODE_NAME"


class Intake(ApiModel):
    """Where and how progress is reported."""

    url: str
    token_file: str = str(TOKEN_FILE)
    ca_folder: str = str(INTAKE_CA_FOLDER)
    interval_seconds: Annotated[float, Field(gt=0)] = 5.0


class RunDocument(ApiModel):
    """One attempt of one run, with every default filled in."""

    namespace: str
    name: str
    uid: str
    attempt: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    spec: TrainingRunSpec
    intake: Intake | None = None
    image: str | None = None
