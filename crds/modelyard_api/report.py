"""What the trainer tells the operator while it works: full snapshots, so that losing one loses nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from modelyard_api.base import ApiModel, Count, EpochCount
from modelyard_api.status import Artifact, Checkpoint, DatasetStatus, ExportStatus

MAX_REPORT_BYTES = 64 * 1024
AUDIENCE = "modelyard.dev/intake"
"""Audience of the projected token that a report is sent with."""
REPORT_PATH = "/v1alpha1/reports"


Seconds = Annotated[float, Field(ge=0, le=1e15)]
"""A length of time; longer ones have no place in a column."""


class Stage(StrEnum):
    """The chapters of a run, in their order."""

    FETCHING = "Fetching"
    CHECKING = "Checking"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    EXPORTING = "Exporting"
    VERIFYING = "Verifying"
    PUBLISHING = "Publishing"
    FINISHED = "Finished"


class ReportedMetric(ApiModel):
    """A metric of the last validation."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    value: float


class ReportedBest(ApiModel):
    """The best validation so far; epochs count from 1."""

    epoch: Annotated[EpochCount, Field(ge=1)]
    metric: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    value: float


class ProgressReport(ApiModel):
    """One snapshot, sent by POST to REPORT_PATH with the projected token as bearer token.

    A report whose `sequence` is not above the last one of the same pod is dropped. Answers: 200 taken or dropped as
    old, 400 not a report, 401 token unknown or expired, 403 another run's, an ended attempt's or no pod's, 413 above
    MAX_REPORT_BYTES, 429 too many, 503 no leader just now.
    """

    sequence: Annotated[Count, Field(ge=1)]
    attempt: Annotated[Count, Field(ge=1)]
    stage: Stage
    detail: Annotated[str, StringConstraints(max_length=256)] = ""
    epoch: Annotated[EpochCount, Field(description="Epochs done.")] = 0
    epochs: Annotated[EpochCount, Field(description="Epochs wanted.")] = 0
    percent: Annotated[float, Field(ge=0, le=100, description="Share of the run's work that is done.")] = 0
    elapsed_seconds: Seconds = 0
    eta_seconds: Seconds | None = None
    batch_size: Annotated[Count, Field(ge=1)] | None = None
    metrics: Annotated[
        list[ReportedMetric], Field(max_length=64, description="The first is the one that the METRIC column shows.")
    ] = []
    best: ReportedBest | None = None
    dataset: DatasetStatus | None = None
    exports: Annotated[list[ExportStatus], Field(max_length=16)] = []
    artifacts: Annotated[list[Artifact], Field(max_length=64)] = []
    primary_artifact: Annotated[str, StringConstraints(max_length=256)] | None = None
    artifacts_uri: Annotated[str, StringConstraints(max_length=1024)] | None = None
    resumed_from_epoch: Annotated[
        EpochCount | None,
        Field(description="Whole epochs that the checkpoint which the attempt went on from had done."),
    ] = None
    checkpoint: Annotated[Checkpoint | None, Field(description="The latest one that is safely in the store.")] = None
