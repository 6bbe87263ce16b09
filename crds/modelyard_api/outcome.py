"""How an attempt ends: exit codes, and the termination message that tells an operator which was down meanwhile."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, EpochCount
from modelyard_api.status import (
    Artifact,
    BestEpoch,
    Checkpoint,
    DatasetStatus,
    ExportStatus,
    MetricValue,
    ShortText,
    Text,
)

MAX_TERMINATION_MESSAGE = 4096
"""Bytes that the kubelet keeps of a termination message."""


class ExitCode(IntEnum):
    """Exit codes of the trainer's PID 1. Any other code is an error nobody foresaw: retried, and counted."""

    SUCCESS = 0
    USER_ERROR = 10
    """The spec or the data is wrong: never retried."""
    OUT_OF_MEMORY = 11
    """CUDA ran out of memory."""
    INTERRUPTED = 12
    """Told to stop (SIGTERM), and did."""
    STORE_UNREACHABLE = 13
    """S3 could not be reached, or not for long enough: retried."""
    DIVERGED = 14
    """The loss is not a number any more."""
    EXPORT_FAILED = 15
    """An export differs from PyTorch by more than it may, or could not be made: never retried."""


class Reason(StrEnum):
    """Why a run or an attempt ended, as one word for programs; `docs/reference/reasons.md` says what to do about it."""

    COMPLETED = "Completed"
    COMPLETED_EARLY = "CompletedEarly"
    # The user's data
    DATASET_NOT_FOUND = "DatasetNotFound"
    DATASET_EMPTY = "DatasetEmpty"
    DATASET_CHECKSUM_MISMATCH = "DatasetChecksumMismatch"
    DATASET_INVALID = "DatasetInvalid"
    LABEL_INVALID = "LabelInvalid"
    IMAGE_UNREADABLE = "ImageUnreadable"
    SPLIT_EMPTY = "SplitEmpty"
    # The weights to start from
    WEIGHTS_NOT_FOUND = "WeightsNotFound"
    WEIGHTS_INVALID = "WeightsInvalid"
    WEIGHTS_DO_NOT_FIT = "WeightsDoNotFit"
    # The user's configuration
    BUCKET_NOT_FOUND = "BucketNotFound"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    ARCHITECTURE_UNKNOWN = "ArchitectureUnknown"
    SPEC_INVALID = "SpecInvalid"
    # While training and after
    OUT_OF_MEMORY = "OutOfMemory"
    HOST_OUT_OF_MEMORY = "HostOutOfMemory"
    INTERRUPTED = "Interrupted"
    STORE_UNREACHABLE = "StoreUnreachable"
    DIVERGED = "Diverged"
    EXPORT_FAILED = "ExportFailed"
    EXPORT_DIFFERS = "ExportDiffers"
    INTERNAL_ERROR = "InternalError"
    # What only the operator sees
    JOB_REFUSED = "JobRefused"
    LOST = "Lost"
    EVICTED = "Evicted"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    ACTIVE_DEADLINE_EXCEEDED = "ActiveDeadlineExceeded"
    RETRIES_EXHAUSTED = "RetriesExhausted"


EXIT_CODES: dict[Reason, ExitCode] = {
    Reason.COMPLETED: ExitCode.SUCCESS,
    Reason.COMPLETED_EARLY: ExitCode.SUCCESS,
    Reason.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    Reason.INTERRUPTED: ExitCode.INTERRUPTED,
    Reason.STORE_UNREACHABLE: ExitCode.STORE_UNREACHABLE,
    Reason.DIVERGED: ExitCode.DIVERGED,
    Reason.EXPORT_FAILED: ExitCode.EXPORT_FAILED,
    Reason.EXPORT_DIFFERS: ExitCode.EXPORT_FAILED,
    **dict.fromkeys(
        (
            Reason.DATASET_NOT_FOUND,
            Reason.DATASET_EMPTY,
            Reason.DATASET_CHECKSUM_MISMATCH,
            Reason.DATASET_INVALID,
            Reason.LABEL_INVALID,
            Reason.IMAGE_UNREADABLE,
            Reason.SPLIT_EMPTY,
            Reason.WEIGHTS_NOT_FOUND,
            Reason.WEIGHTS_INVALID,
            Reason.WEIGHTS_DO_NOT_FIT,
            Reason.BUCKET_NOT_FOUND,
            Reason.CREDENTIALS_MISSING,
            Reason.CREDENTIALS_REFUSED,
            Reason.ARCHITECTURE_UNKNOWN,
            Reason.SPEC_INVALID,
        ),
        ExitCode.USER_ERROR,
    ),
}
"""The exit code of every reason that the trainer can end with (InternalError is 1, Python's own)."""


class TerminationMessage(ApiModel):
    """The last word of an attempt, written to /dev/termination-log as JSON of at most 4 KiB.

    `artifacts` is cut to what fits; `artifacts_uri` and `checksums_sha256` (the digest of SHA256SUMS) name them all.
    """

    attempt: Annotated[int, Field(ge=1)]
    reason: Reason
    message: Text
    epoch: EpochCount = 0
    epochs: EpochCount = 0
    best: BestEpoch | None = None
    metrics: list[MetricValue] = []
    dataset: DatasetStatus | None = None
    artifacts_uri: Text | None = None
    checksums_sha256: str | None = None
    primary_artifact: ShortText | None = None
    exports: list[ExportStatus] = []
    artifacts: list[Artifact] = []
    resumed_from_epoch: EpochCount | None = None
    """Whole epochs that the checkpoint which the attempt went on from had done; None where it began anew."""
    checkpoint: Checkpoint | None = None
    """The latest one that is safely in the store."""
