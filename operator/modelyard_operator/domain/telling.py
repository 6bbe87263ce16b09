"""What the trainer tells, by report or by its last words, as fields of status."""

from __future__ import annotations

from typing import TypeVar

from modelyard_api.outcome import TerminationMessage
from modelyard_api.report import ProgressReport, Stage
from modelyard_api.status import (
    Artifact,
    Attempt,
    BestEpoch,
    Checkpoint,
    ExportStatus,
    MetricValue,
    Progress,
    TrainingRunStatus,
)

from modelyard_operator.domain import display
from modelyard_operator.domain.observed import ObservedReport

_MOST_NAMED = 64
"""Metrics and artifacts that the schema of status has room for."""
_MOST_EXPORTS = 16
"""As many as a spec may ask for."""
Named = TypeVar("Named", MetricValue, Artifact, ExportStatus)


_NOT_YET_TRAINING = ("", Stage.FETCHING, Stage.CHECKING)
"""Stages in which an attempt has not yet looked for a checkpoint to go on from."""


def fresh_progress(epochs: int, before: Progress | None = None, checkpoint: Checkpoint | None = None) -> Progress:
    """Progress of an attempt that was not heard yet: where the newest checkpoint will let it go on.

    Args:
        epochs: how many are wanted.
        before: progress of the attempt before it.
        checkpoint: the newest that is known of.
    """
    if before is None or checkpoint is None:
        return Progress(epoch=0, epochs=epochs, display=epochs_display(0, epochs), percent=0, percent_display="0%")
    epoch = min(checkpoint.epoch, before.epoch)
    percent = before.percent * epoch // max(1, before.epoch)
    return Progress(
        epoch=epoch,
        epochs=epochs,
        display=epochs_display(epoch, epochs),
        percent=percent,
        percent_display=f"{percent}%",
    )


def epochs_display(epoch: int, epochs: int) -> str:
    """Epochs done and wanted, as the EPOCH column shows them; a dash where nothing is trained."""
    return f"{epoch}/{epochs}" if epochs else "-"


def training_has_begun(progress: Progress | None) -> bool:
    """Whether progress is what the attempt itself has told, and not what is expected of it."""
    return progress is not None and progress.stage not in _NOT_YET_TRAINING


def with_report(status: TrainingRunStatus, observed: ObservedReport) -> TrainingRunStatus:
    """`status` with a report of its current attempt folded in; epochs and percent never fall within an attempt."""
    report = observed.report
    if report.attempt != status.current_attempt:
        return status
    metrics = [MetricValue(name=metric.name, value=display.decimal(metric.value)) for metric in report.metrics]
    best = status.best
    if report.best is not None:
        found = report.best
        best = BestEpoch(epoch=found.epoch, metric=found.metric, value=display.decimal(found.value))
    return status.model_copy(
        update={
            "progress": _progress(report, status.progress),
            "metrics": _by_name(metrics) or status.metrics,
            "metric_display": _metric_display(metrics) or status.metric_display,
            "best": best,
            "attempts": [
                attempt_with_report(attempt, report) if attempt.number == report.attempt else attempt
                for attempt in status.attempts
            ],
            "batch_size": min(report.batch_size or status.batch_size or 1, status.batch_size or 1),
            "checkpoint": report.checkpoint or status.checkpoint,
            "dataset": report.dataset or status.dataset,
            "exports": _by_name(report.exports) or status.exports,
            "artifacts": _by_name(report.artifacts) or status.artifacts,
            "primary_artifact": report.primary_artifact or status.primary_artifact,
            "artifacts_uri": report.artifacts_uri or status.artifacts_uri,
            "last_report_time": observed.received_at.replace(microsecond=0),
        }
    )


def with_last_words(status: TrainingRunStatus, words: TerminationMessage) -> TrainingRunStatus:
    """`status` with a termination message folded in: all that is known where the operator was down meanwhile."""
    before = status.progress or fresh_progress(words.epochs)
    epoch = max(before.epoch, words.epoch) if training_has_begun(before) else words.epoch or before.epoch
    epochs = words.epochs or before.epochs
    progress = before.model_copy(update={"epoch": epoch, "epochs": epochs, "display": epochs_display(epoch, epochs)})
    best = words.best or status.best
    # What a message of 4 KiB had no room for, a report of the same set has told before.
    reported = status.artifacts if words.artifacts_uri in (None, status.artifacts_uri) else []
    return status.model_copy(
        update={
            "progress": progress,
            "metrics": _by_name(words.metrics) or status.metrics,
            "metric_display": _metric_display(words.metrics) or status.metric_display,
            "best": best,
            "checkpoint": words.checkpoint or status.checkpoint,
            "dataset": words.dataset or status.dataset,
            "exports": _by_name(words.exports)[:_MOST_EXPORTS] or status.exports,
            "artifacts": _by_name([*reported, *words.artifacts]) or status.artifacts,
            "primary_artifact": words.primary_artifact or status.primary_artifact,
            "artifacts_uri": words.artifacts_uri or status.artifacts_uri,
        }
    )


def attempt_with_report(attempt: Attempt, report: ProgressReport) -> Attempt:
    """`attempt` with what its own report says of it.

    A trainer may have lowered the batch by itself; more than it was given it cannot use.
    """
    resumed = report.resumed_from_epoch
    return attempt.model_copy(
        update={
            "epoch": max(attempt.epoch, report.epoch),
            "batch_size": min(report.batch_size or attempt.batch_size, attempt.batch_size),
            "resumed_from_epoch": resumed if resumed is not None else attempt.resumed_from_epoch,
        }
    )


def _progress(report: ProgressReport, before: Progress | None) -> Progress:
    known, stage = before or fresh_progress(report.epochs), report.stage
    if not training_has_begun(known) and stage not in _NOT_YET_TRAINING:
        if _says_where_it_is(report) or not known.percent:
            known = fresh_progress(known.epochs)
        else:
            # It says that it trains before it has looked for a checkpoint: what is expected of it still stands.
            stage = Stage.CHECKING
    epoch = max(report.epoch, report.resumed_from_epoch or 0, known.epoch)
    epochs = report.epochs or known.epochs
    percent = max(int(report.percent), known.percent)
    return Progress(
        epoch=epoch,
        epochs=epochs,
        display=epochs_display(epoch, epochs),
        percent=percent,
        percent_display=f"{percent}%",
        eta=display.duration(report.eta_seconds) if report.eta_seconds is not None else None,
        elapsed=display.duration(report.elapsed_seconds),
        stage=stage,
    )


def _says_where_it_is(report: ProgressReport) -> bool:
    return report.resumed_from_epoch is not None or report.epoch > 0 or report.percent > 0


def _by_name(items: list[Named]) -> list[Named]:
    """One item a name, and no more than status may hold: the API server would refuse the whole status else."""
    return list({item.name: item for item in items}.values())[:_MOST_NAMED]


def _metric_display(metrics: list[MetricValue]) -> str | None:
    """The first metric: a task names first what its users ask for first, whatever epochs are compared by."""
    return display.metric(metrics[0].name, metrics[0].value) if metrics else None
