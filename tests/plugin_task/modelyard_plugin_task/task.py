"""Which classes are in a picture, by a linear model on its thumbnail: little, but learnt from the data."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from modelyard_api.outcome import Reason
from modelyard_api.report import ReportedBest
from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Picture
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.files import write_atomically
from modelyard_trainer.tasks.base import Epoch, Evaluation, ExportedFile, Fit, TaskContext, Verified
from PIL import Image

from modelyard_plugin_task.appetite import eat_too_much
from modelyard_plugin_task.architecture import LinearArchitecture
from modelyard_plugin_task.course import Course, Matrix

_SIDE = 16
_METRIC = "accuracy"
_BALLAST = "ballast.bin"
_STEP = 100.0
"""Plain gradient descent takes larger steps than the optimizers whose learning rates people write."""


class LinearTask:
    """Logistic regression from a 16 x 16 thumbnail to the classes that are in the picture."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._spec = context.document.spec

    def check_spec(self) -> None:
        """The architecture must be one of ours; nothing can be exported."""
        LinearArchitecture.of(self._spec.model.architecture)
        if self._spec.export:
            raise RunError(Reason.SPEC_INVALID, "spec.export: the linear test task exports nothing; [] would be right")

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """The same check as for a real detector."""
        return check_dataset(
            fetched,
            self._spec.dataset.format,
            validation_split=self._spec.dataset.validation_split,
            fraction=self._spec.dataset.fraction,
            seed=self._spec.training.seed,
            threads=self._context.cpus,
        )

    def fit(self, data: CheckedDataset) -> Fit:
        """Gradient descent, one batch after the other, from where the newest checkpoint ends."""
        architecture = LinearArchitecture.of(self._spec.model.architecture)
        training, validation = (_arrays(side, len(data.classes)) for side in (data.training, data.validation))
        course = Course.beginning(self._spec.training.seed, training[0].shape[1], len(data.classes))
        step, snapshot = 0, self._context.checkpoints.restore()
        if snapshot is not None:
            course, step = Course.of(snapshot.state), snapshot.position.step
            for name, path in snapshot.files.items():
                shutil.copyfile(path, self._context.results / name)
            self._context.progress.resumed(len(course.epochs), course.seconds, course.metrics, course.best)
        elif architecture.ballast:
            self._take_on(architecture.ballast)
        with self._context.interruption.deferred():
            for number in range(len(course.epochs) + 1, self._spec.training.epochs + 1):
                began = time.monotonic()
                architecture.fail_if_due(number, self._context.document.batch_size)
                if number == architecture.hungry_at and self._context.document.loader_workers is None:
                    self._until_a_checkpoint_is_safe()
                    eat_too_much()
                loss = self._epoch(course, step, training, architecture.epoch_seconds)
                step = 0
                metrics = {_METRIC: _accuracy(course.weights, validation), "train/loss": loss}
                course.epochs.append(Epoch(number, time.monotonic() - began, metrics))
                self._save_weights("last.npz", course.weights, data.classes)
                if course.best is None or metrics[_METRIC] > course.best.value:
                    course.best = ReportedBest(epoch=number, metric=_METRIC, value=metrics[_METRIC])
                    self._save_weights("best.npz", course.weights, data.classes)
                self._context.progress.epoch_done(number, metrics, course.best)
                course.losses = []
                self._checkpoint(course, Position(number))
                if 0 < self._spec.training.patience <= number - course.best.epoch:
                    break
        if course.best is None:
            raise RunError(Reason.INTERNAL_ERROR, "there was no epoch to train")
        return Fit(tuple(course.epochs), course.best.epoch, data.classes, "cpu")

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Measure the saved weights, not those in memory."""
        with np.load(self._context.results / "best.npz") as saved:
            weights = saved["weights"]
        return Evaluation({_METRIC: _accuracy(weights, _arrays(data.validation, len(data.classes)))})

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Nothing, which takes as long as an epoch, so that whoever watches sees it."""
        time.sleep(LinearArchitecture.of(self._spec.model.architecture).epoch_seconds)
        return ()

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Nothing."""
        return ()

    def _epoch(self, course: Course, done: int, data: tuple[Matrix, Matrix], least_seconds: float) -> float:
        """The rest of the next epoch, of which `done` batches are done; the mean of its losses."""
        inputs, targets = data
        number = len(course.epochs) + 1
        begun = course.draw.bit_generator.state
        order = course.draw.permutation(len(inputs))
        batches = np.array_split(order, max(1, len(order) // self._context.document.batch_size))
        for step, batch in enumerate(batches[done:], start=done + 1):
            wanted, given = targets[batch], _sigmoid(inputs[batch] @ course.weights)
            course.losses.append(
                float(-np.mean(wanted * np.log(given + 1e-9) + (1 - wanted) * np.log(1 - given + 1e-9)))
            )
            gradient = inputs[batch].T @ (given - wanted) / len(batch)
            course.weights -= _STEP * self._spec.training.optimizer.learning_rate * gradient
            self._context.progress.step(number, step, len(batches), {"loss": course.losses[-1]})
            self._sleep(least_seconds / len(batches))
            if step < len(batches):
                self._checkpoint(course, Position(number - 1, step), begun)
        return float(np.mean(course.losses))

    def _checkpoint(self, course: Course, position: Position, draw: Mapping[str, Any] | None = None) -> None:
        """Keep a snapshot where one is due or it is the last chance, and stop in the latter case."""
        asked = self._context.interruption.asked
        if asked or self._context.checkpoints.due(position):
            state = course.state(draw or course.draw.bit_generator.state)
            files = {path.name: path for path in sorted(self._context.results.iterdir())}
            self._context.checkpoints.save(Snapshot(position, state, files))
        if asked:
            raise Interrupted

    def _until_a_checkpoint_is_safe(self) -> None:
        """Whoever dies next is to be gone on from."""
        while self._context.progress.now.checkpoint is None:
            time.sleep(0.05)

    def _sleep(self, seconds: float) -> None:
        """Sleep, but not when somebody waits for this to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._context.interruption.asked:
            time.sleep(min(left, 0.05))

    def _take_on(self, mebibytes: int) -> None:
        """So many MiB that no store makes smaller."""
        draw = np.random.default_rng(self._spec.training.seed)
        with (self._context.results / _BALLAST).open("wb") as file:
            for _ in range(mebibytes):
                file.write(draw.bytes(1 << 20))

    def _save_weights(self, name: str, weights: Matrix, classes: Sequence[str]) -> None:
        """Replace the file, whole: a checkpoint may hold on to the one that was there."""
        content = io.BytesIO()
        np.savez(content, weights=weights, classes=np.array(classes))
        write_atomically(self._context.results / name, content.getvalue())


def _accuracy(weights: Matrix, data: tuple[Matrix, Matrix]) -> float:
    inputs, targets = data
    return float(np.mean((_sigmoid(inputs @ weights) > 0.5) == (targets > 0.5)))


def _arrays(pictures: Sequence[Picture], classes: int) -> tuple[Matrix, Matrix]:
    """Thumbnails as (n, pixels + 1) and the classes in them as (n, classes)."""
    inputs, targets = [], np.zeros((len(pictures), classes))
    for row, picture in enumerate(pictures):
        with Image.open(picture.path) as image:
            thumbnail = np.asarray(image.convert("L").resize((_SIDE, _SIDE)), np.float64) / 255
        inputs.append(np.append(thumbnail.ravel(), 1.0))
        targets[row, picture.objects.classes] = 1
    return np.array(inputs), targets


def _sigmoid(values: Matrix) -> Matrix:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
