"""What a person sees: the status of a TrainingRun. Decimals are strings, since Kubernetes advises against floats."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from modelyard_api.base import ApiModel, Count, EpochCount, ListMap, Moment
from modelyard_api.spec import ImageCache

Text = Annotated[str, StringConstraints(max_length=1024)]
ShortText = Annotated[str, StringConstraints(max_length=256)]
Message = Annotated[str, StringConstraints(max_length=4096)]


class Phase(StrEnum):
    """Where a run is, in one word."""

    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    EXPORTING = "Exporting"
    UPLOADING = "Uploading"
    COMPLETE = "Complete"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class ConditionType(StrEnum):
    """What a condition speaks of."""

    APPROVED = "Approved"
    ARTIFACTS_UPLOADED = "ArtifactsUploaded"
    COMPLETE = "Complete"
    DATASET_READY = "DatasetReady"
    FAILED = "Failed"
    FINISHED = "Finished"
    RECONCILING = "Reconciling"
    RUNNING = "Running"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One observation about the run, as in metav1.Condition."""

    type: Annotated[ConditionType, Field(description="What the condition speaks of.")]
    status: Annotated[ConditionStatus, Field(description="Whether it holds.")]
    reason: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", min_length=1, max_length=128),
        Field(description="One CamelCase word for programs."),
    ]
    message: Annotated[Message, Field(description="A sentence for people.")] = ""
    last_transition_time: Annotated[Moment, Field(description="When `status` last changed.")]
    observed_generation: Annotated[int, Field(ge=0, description="The generation of the spec that this is about.")] = 0


class Progress(ApiModel):
    """How far the training is."""

    epoch: Annotated[EpochCount, Field(description="Epochs done.")] = 0
    epochs: Annotated[EpochCount, Field(description="Epochs wanted.")] = 0
    display: Annotated[
        ShortText, Field(description="Epochs done and wanted, such as 12/50; a dash where nothing is trained.")
    ] = ""
    percent: Annotated[int, Field(ge=0, le=100, description="Share of the run's work that is done.")] = 0
    percent_display: Annotated[ShortText, Field(description="`percent` with its sign.")] = ""
    eta: Annotated[ShortText | None, Field(description="Time left, such as 3h2m.")] = None
    elapsed: Annotated[ShortText | None, Field(description="Time since the attempt's training began, such as 41m.")] = (
        None
    )
    stage: Annotated[ShortText, Field(description="What the trainer is doing.")] = ""


class MetricValue(ApiModel):
    """A metric of the last validation."""

    name: Annotated[ShortText, Field(description="Name in the field's own terms, such as mAP50.")]
    value: Annotated[ShortText, Field(description="Value, as a decimal.")]


class BestEpoch(ApiModel):
    """The best validation so far."""

    epoch: Annotated[EpochCount, Field(description="Its epoch, counted from 1.")]
    metric: Annotated[ShortText, Field(description="The metric that epochs are compared by.")]
    value: Annotated[ShortText, Field(description="Its value there.")]


class Attempt(ApiModel):
    """One Job, and how it ended."""

    number: Annotated[int, Field(ge=1, description="Which attempt, counted from 1.")]
    batch_size: Annotated[int, Field(ge=1, description="Batch size of this attempt.")]
    effective_batch_size: Annotated[
        int | None,
        Field(ge=1, description="Pictures in one of its optimizer steps, where those are fewer than asked for."),
    ] = None
    loader_workers: Annotated[
        int | None, Field(ge=0, description="Its processes that load pictures, where those are fewer than asked for.")
    ] = None
    image_cache: Annotated[
        ImageCache | None, Field(description="Its cache of pictures, where that is another than asked for.")
    ] = None
    learning_rate_factor: Annotated[
        ShortText | None,
        Field(description="Its learning rates as a fraction of those asked for, where they are lower, as a decimal."),
    ] = None
    resumed_from_epoch: Annotated[
        EpochCount | None,
        Field(description="Whole epochs that the checkpoint which it went on from had done, if there was one."),
    ] = None
    job_name: Annotated[ShortText, Field(description="Name of its Job.")]
    job_uid: Annotated[
        ShortText | None, Field(description="UID of its Job, once that was seen: a Job seen and then gone is lost.")
    ] = None
    epoch: Annotated[
        EpochCount, Field(description="Epochs done, with those of the checkpoint that it went on from.")
    ] = 0
    started_at: Annotated[Moment, Field(description="When it was decided upon, before its Job was created.")]
    running_at: Annotated[Moment | None, Field(description="When its pod's container began to run.")] = None
    ended_at: Annotated[Moment | None, Field(description="When it ended.")] = None
    reason: Annotated[ShortText | None, Field(description="How it ended, as one word.")] = None
    message: Annotated[Message | None, Field(description="How it ended, as a sentence.")] = None
    exit_code: Annotated[int | None, Field(description="Exit code of its container.")] = None
    node: Annotated[ShortText | None, Field(description="Node that it ran on.")] = None
    pod: Annotated[ShortText | None, Field(description="Name of its pod.")] = None
    image_id: Annotated[Text | None, Field(description="Digest of the image that it ran.")] = None


class DatasetStatus(ApiModel):
    """What the data set turned out to hold."""

    images: Annotated[Count, Field(description="Pictures in all splits.")]
    training_images: Annotated[Count, Field(description="Pictures in the training split.")]
    validation_images: Annotated[Count, Field(description="Pictures in the validation split.")]
    classes: Annotated[Count, Field(description="Classes.")]
    objects: Annotated[Count, Field(description="Labelled objects.")] = 0
    digest: Annotated[ShortText, Field(description="SHA-256 over the list of files and their checksums.")]


class Artifact(ApiModel):
    """One published file."""

    name: Annotated[ShortText, Field(description="File name.")]
    uri: Annotated[Text, Field(description="Where it lies.")]
    sha256: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64),
        Field(description="SHA-256 of its bytes."),
    ]
    bytes: Annotated[Count, Field(description="Size in bytes.")]


class ExportStatus(ApiModel):
    """One file that was asked for, and what it is worth."""

    name: Annotated[ShortText, Field(description="File name.")]
    metric: Annotated[
        ShortText | None, Field(description="The task's metric of this file, such as macroF1 0.9731.")
    ] = None
    drop: Annotated[
        ShortText | None,
        Field(description="How much less than PyTorch that is, on the same pictures; below zero where it is more."),
    ] = None
    latency: Annotated[
        ShortText | None, Field(description="Median time for one picture and on what, such as 4.2 ms on cpu.")
    ] = None
    skipped: Annotated[Text | None, Field(description="Why there is no such file, where that is no failure.")] = None


class Checkpoint(ApiModel):
    """A state of the training that lies safely in the store."""

    epoch: Annotated[EpochCount, Field(description="Whole epochs done.")]
    step: Annotated[Count, Field(description="Batches done in the epoch after them; 0 at the end of an epoch.")] = 0
    uri: Annotated[Text, Field(description="Where it lies.")]
    taken_at: Annotated[Moment, Field(description="When the training was there.")]


class TrainingRunStatus(ApiModel):
    """Where a run is. Only the operator writes it."""

    phase: Annotated[Phase, Field(description="Where the run is, in one word.")] = Phase.PENDING
    observed_generation: Annotated[int, Field(ge=0, description="The generation of the spec that this is about.")] = 0
    conditions: Annotated[
        list[Condition], ListMap("type"), Field(max_length=16, description="Observations about the run.")
    ] = []
    started_at: Annotated[
        Moment | None,
        Field(description="When the first attempt was decided upon; from then on the spec is fixed."),
    ] = None
    finished_at: Annotated[Moment | None, Field(description="When the run became Complete or Failed.")] = None
    active_seconds: Annotated[
        int,
        Field(ge=0, description="Time that counts for activeDeadline, up to `activeSince` or the last suspension."),
    ] = 0
    active_since: Annotated[
        Moment | None,
        Field(description="Since when time counts again; not set while the run is suspended or waits in a queue."),
    ] = None
    current_attempt: Annotated[int, Field(ge=0, description="Number of the latest attempt.")] = 0
    retries: Annotated[
        int,
        Field(
            ge=0,
            description="Attempts that counted towards maxRetries; interruptions after progress, smaller batches and "
            "lower learning rates do not.",
        ),
    ] = 0
    batch_size: Annotated[int | None, Field(ge=1, description="Batch size in use.")] = None
    progress: Annotated[Progress | None, Field(description="How far the training is.")] = None
    metrics: Annotated[
        list[MetricValue],
        ListMap("name"),
        Field(max_length=64, description="Metrics of the last validation."),
    ] = []
    metric_display: Annotated[ShortText | None, Field(description="The main metric, such as mAP50 0.612.")] = None
    best: Annotated[BestEpoch | None, Field(description="The best validation so far.")] = None
    attempts: Annotated[
        list[Attempt], ListMap("number"), Field(max_length=128, description="The attempts, oldest first.")
    ] = []
    checkpoint: Annotated[
        Checkpoint | None, Field(description="The latest state of the training that lies safely in the store.")
    ] = None
    dataset: Annotated[DatasetStatus | None, Field(description="What the data set turned out to hold.")] = None
    exports: Annotated[
        list[ExportStatus],
        ListMap("name"),
        Field(max_length=16, description="Exported files as they were judged, and those that could not be made here."),
    ] = []
    artifacts: Annotated[list[Artifact], ListMap("name"), Field(max_length=64, description="Published files.")] = []
    primary_artifact: Annotated[
        ShortText | None, Field(description="Name of the published file that formatPriorities prefers.")
    ] = None
    artifacts_uri: Annotated[Text | None, Field(description="Folder of the published files, with SHA256SUMS.")] = None
    last_report_time: Annotated[Moment | None, Field(description="When the trainer was last heard.")] = None
    reason: Annotated[ShortText | None, Field(description="Why the run is where it is, as one word.")] = None
    message: Annotated[Message | None, Field(description="Why the run is where it is, as a sentence.")] = None
