"""The run document: all that the trainer knows of its run.

The operator writes it; on a laptop `modelyard train` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, StringConstraints

from modelyard_api import GROUP
from modelyard_api.base import WEB_ADDRESS, ApiModel, Count, Matches
from modelyard_api.location import Name, S3Location
from modelyard_api.spec import (
    DEFAULT_WARMUP_BIAS_LEARNING_RATE,
    DEFAULT_WARMUP_MOMENTUM,
    ImageCache,
    Training,
    TrainingRunSpec,
)

RUN_ANNOTATION = f"{GROUP}/run"
"""Annotation of the pod template that carries the document."""

MOUNT = PurePosixPath("/var/run/modelyard")
RUN_DOCUMENT_FILE = MOUNT / "run" / "run.json"
TOKEN_FILE = MOUNT / "token" / "token"
INTAKE_CA_FOLDER = MOUNT / "intake-ca"
DATASET_CREDENTIALS_FOLDER = MOUNT / "s3" / "dataset"
ARTIFACTS_CREDENTIALS_FOLDER = MOUNT / "s3" / "artifacts"
WEIGHTS_CREDENTIALS_FOLDER = MOUNT / "s3" / "weights"
"""Folders with one file for each key of the Secret (AWS_ACCESS_KEY_ID, ...), mounted as optional volumes."""
DATASET_VOLUME_FOLDER = MOUNT / "volumes" / "dataset"
WEIGHTS_VOLUME_FOLDER = MOUNT / "volumes" / "weights"
"""Where the claims are mounted that the spec names."""
SCRATCH_FOLDER = PurePosixPath("/scratch")

POD_UID_VARIABLE = "MODELYARD_POD_UID"
POD_NAME_VARIABLE = "MODELYARD_POD_NAME"
NODE_NAME_VARIABLE = "MODELYARD_NODE_NAME"


Uid = Annotated[
    str,
    StringConstraints(max_length=128),
    Matches("must be letters, digits and hyphens: a folder is named after it", ("^[A-Za-z0-9][-A-Za-z0-9]*$",)),
]


class Intake(ApiModel):
    """Where and how progress is reported."""

    url: Annotated[str, Matches("must be http://HOST:PORT or https://HOST:PORT", (WEB_ADDRESS,))]
    token_file: str = str(TOKEN_FILE)
    ca_folder: str = str(INTAKE_CA_FOLDER)
    interval_seconds: Annotated[float, Field(gt=0)] = 5.0


class RunDocument(ApiModel):
    """One attempt of one run, with every default filled in."""

    namespace: Name
    name: Name
    uid: Uid
    attempt: Annotated[Count, Field(ge=1)]
    batch_size: Annotated[Count, Field(ge=1)]
    effective_batch_size: Annotated[Count, Field(ge=1)] | None = None
    """Pictures in one optimizer step; None for as many as the spec says."""
    loader_workers: Count | None = None
    """Processes that load pictures; None for as many as the spec says."""
    image_cache: ImageCache | None = None
    """Where decoded pictures are kept; None for where the spec says."""
    learning_rate_factor: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What the spec's learning rates are multiplied with."""
    spec: TrainingRunSpec
    source: S3Location | None = None
    """Where the run that `spec.model.from.run` names has published its results."""
    intake: Intake | None = None
    image: str | None = None

    @property
    def training(self) -> Training:
        """`spec.training` as this attempt applies it: what earlier attempts have taught it changed, the rest as asked.

        `gradient_accumulation` is left as asked, since it need not stay a whole number: `step_size` says what counts.
        """
        asked, factor = self.spec.training, self.learning_rate_factor
        optimizer = {"learning_rate": asked.optimizer.learning_rate * factor}
        bias_rate, momentum = asked.schedule.warmup_bias_learning_rate, asked.schedule.warmup_momentum
        schedule = {
            "warmup_bias_learning_rate": (DEFAULT_WARMUP_BIAS_LEARNING_RATE if bias_rate is None else bias_rate)
            * factor,
            "eta_min": None if asked.schedule.eta_min is None else asked.schedule.eta_min * factor,
            "warmup_momentum": DEFAULT_WARMUP_MOMENTUM if momentum is None else momentum,
        }
        return asked.model_copy(
            update={
                "batch_size": self.batch_size,
                "workers": asked.workers if self.loader_workers is None else self.loader_workers,
                "cache": self.image_cache or asked.cache,
                "optimizer": asked.optimizer.model_copy(update=optimizer),
                "schedule": asked.schedule.model_copy(update=schedule),
            }
        )

    @property
    def step_size(self) -> int:
        """Pictures in one optimizer step."""
        asked = self.spec.training
        return self.effective_batch_size or asked.batch_size * asked.gradient_accumulation


def read_run_document(text: str) -> tuple[RunDocument, tuple[str, ...]]:
    """The document, and the paths of what it says that this version does not know.

    A trainer image that a run names by itself outlives upgrades of the operator, which then says more than it knows.

    Raises:
        ValidationError: it is not one.
    """
    document = RunDocument.model_validate_json(text, extra="ignore")
    return document, tuple(_unknown(json.loads(text), document.to_json_object(), ""))


def _unknown(said: object, known: object, path: str) -> Iterator[str]:
    if isinstance(said, dict) and isinstance(known, dict):
        for name, value in said.items():
            if name in known:
                yield from _unknown(value, known[name], f"{path}.{name}")
            elif value is not None:
                yield f"{path}.{name}".removeprefix(".")
