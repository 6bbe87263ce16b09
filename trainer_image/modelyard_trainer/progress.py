"""What is known of a run while it runs, in one place, and who wants to hear of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from modelyard_api.report import ProgressReport, ReportedBest, ReportedMetric, Stage
from modelyard_api.status import Artifact, Checkpoint, DatasetStatus, ExportStatus

Listener = Callable[["Snapshot", bool], None]
"""Hears of every change; the second argument is true for what should be passed on at once."""

TRAINED = 99.0
"""Percent of the work that is done when training is; exporting and publishing are the rest."""
_AFTER_TRAINING = {Stage.EVALUATING: 99.2, Stage.EXPORTING: 99.4, Stage.VERIFYING: 99.6, Stage.PUBLISHING: 99.8}


_WITHOUT_TRAINING = {Stage.EVALUATING: 20.0, Stage.EXPORTING: 60.0, Stage.VERIFYING: 75.0, Stage.PUBLISHING: 95.0}


@dataclass(frozen=True)
class Snapshot:
    """All that is known of a run at one moment."""

    attempt: int
    batch_size: int
    epochs: int
    stage: Stage = Stage.FETCHING
    detail: str = ""
    notice: str = ""
    """What is not as it should be for now, as a short phrase."""
    epoch: int = 0
    in_epoch: float = 0.0
    """Share of the running epoch that is done, 0 to 1."""
    training_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: ReportedBest | None = None
    dataset: DatasetStatus | None = None
    exports: tuple[ExportStatus, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    primary_artifact: str | None = None
    artifacts_uri: str | None = None
    resumed_from_epoch: int | None = None
    checkpoint: Checkpoint | None = None
    """The latest one that is safely in the store."""

    @property
    def trained(self) -> float:
        """Share of the wanted epochs that is done, 0 to 1."""
        return min(1.0, (self.epoch + self.in_epoch) / self.epochs) if self.epochs else 0.0

    @property
    def percent(self) -> float:
        """Share of the run's work that is done, in percent: that of the epochs, and a little for what follows them."""
        if self.stage is Stage.FINISHED:
            return 100.0
        if not self.epochs:
            return _WITHOUT_TRAINING.get(self.stage, 0.0)
        return _AFTER_TRAINING.get(self.stage, TRAINED * self.trained)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds of training left if the rest goes at the pace so far; None while that cannot be known."""
        if self.stage is not Stage.TRAINING or not self.trained:
            return None
        return self.training_seconds * (1 - self.trained) / self.trained

    def report(self, sequence: int) -> ProgressReport:
        """This snapshot as it is sent to the operator."""
        return ProgressReport(
            sequence=sequence,
            attempt=self.attempt,
            stage=self.stage,
            detail="; ".join(filter(None, (self.detail, self.notice)))[:256],
            epoch=self.epoch,
            epochs=self.epochs,
            percent=round(self.percent, 2),
            elapsed_seconds=round(self.elapsed_seconds, 3),
            eta_seconds=None if self.eta_seconds is None else round(self.eta_seconds, 3),
            batch_size=self.batch_size,
            # JSON has no NaN, and a report with one would be refused whole.
            metrics=[
                ReportedMetric(name=name, value=value)
                for name, value in list(self.metrics.items())[:64]
                if math.isfinite(value)
            ],
            best=self.best,
            dataset=self.dataset,
            exports=list(self.exports[:16]),
            artifacts=list(self.artifacts[:64]),
            primary_artifact=self.primary_artifact,
            artifacts_uri=self.artifacts_uri,
            resumed_from_epoch=self.resumed_from_epoch,
            checkpoint=self.checkpoint,
        )


class Progress:
    """Takes down what happens and tells the listeners. Safe to use from several threads."""

    def __init__(self, attempt: int, batch_size: int, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._training_since: float | None = None
        self._lock = threading.Lock()
        self._snapshot = Snapshot(attempt=attempt, batch_size=batch_size, epochs=epochs)
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every change from now on. It must be quick: it runs in the thread that trains."""
        self._listeners.append(listener)

    @property
    def now(self) -> Snapshot:
        """What is known now."""
        with self._lock:
            return self._timed(self._snapshot)

    def stage(self, stage: Stage, detail: str = "") -> None:
        """A new chapter begins."""
        if stage is Stage.TRAINING and self._training_since is None:
            self._training_since = self._clock()
        self._change(urgent=True, stage=stage, detail=detail)

    def detail(self, detail: str) -> None:
        """Say how far the chapter is, as a short phrase."""
        self._change(urgent=False, detail=detail)

    def notice(self, notice: str) -> None:
        """Say what is not as it should be, beside whatever else is said, until it is taken back by an empty one."""
        if notice != self._snapshot.notice:
            self._change(urgent=False, notice=notice)

    def restored(self, checkpoint: Checkpoint | None) -> None:
        """The attempt goes on from a checkpoint, or after all from none."""
        epoch = checkpoint.epoch if checkpoint else None
        self._change(urgent=True, epoch=epoch or 0, resumed_from_epoch=epoch, checkpoint=checkpoint, detail="")

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """A checkpoint lies safely in the store."""
        self._change(urgent=True, checkpoint=checkpoint)

    def step(self, epoch: int, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """A batch is done: the `step`th of `steps` in the `epoch`th epoch (both counted from 1)."""
        parts = [f"epoch {epoch}/{self._snapshot.epochs}", f"batch {step}/{steps}"]
        parts += [f"{name} {value:.3f}" for name, value in losses.items()]
        self._change(urgent=False, epoch=epoch - 1, in_epoch=step / steps, detail=", ".join(parts))

    def epoch_done(self, epoch: int, metrics: Mapping[str, float], best: ReportedBest | None) -> None:
        """An epoch (counted from 1) is trained and validated."""
        self._change(urgent=True, epoch=epoch, in_epoch=0.0, metrics=dict(metrics), best=best)

    def resumed(self, epoch: int, seconds: float, metrics: Mapping[str, float], best: ReportedBest | None) -> None:
        """Earlier attempts did `epoch` epochs with these metrics, and trained for `seconds` seconds in all."""
        if self._training_since is not None:
            self._training_since -= seconds
        self._change(urgent=True, epoch=epoch, in_epoch=0.0, metrics=dict(metrics), best=best)

    def dataset(self, dataset: DatasetStatus) -> None:
        """The data set is checked."""
        self._change(urgent=True, dataset=dataset)

    def metrics(self, metrics: Mapping[str, float]) -> None:
        """The best weights were evaluated."""
        self._change(urgent=True, metrics=dict(metrics))

    def exports(self, exports: tuple[ExportStatus, ...]) -> None:
        """The exported files were judged."""
        self._change(urgent=True, exports=exports)

    def published(self, artifacts: tuple[Artifact, ...], uri: str, primary: str | None) -> None:
        """The results can be seen by everyone."""
        self._change(
            urgent=True,
            stage=Stage.FINISHED,
            detail="",
            artifacts=artifacts,
            artifacts_uri=uri,
            primary_artifact=primary,
        )

    def _change(self, *, urgent: bool, **changes: object) -> None:
        with self._lock:
            self._snapshot = self._timed(replace(self._snapshot, **changes))  # type: ignore[arg-type]
            snapshot = self._snapshot
        for listener in self._listeners:
            listener(snapshot, urgent)

    def _timed(self, snapshot: Snapshot) -> Snapshot:
        now = self._clock()
        training = snapshot.training_seconds
        if snapshot.stage is Stage.TRAINING and self._training_since is not None:
            training = now - self._training_since
        return replace(snapshot, elapsed_seconds=now - self._started, training_seconds=training)
