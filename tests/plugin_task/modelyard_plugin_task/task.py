"""Which classes are in a picture, by a linear model on its thumbnail: little, but learnt from the data."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from modelyard_api.outcome import Reason
from modelyard_api.report import ReportedBest
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Picture
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import Epoch, Evaluation, ExportedFile, Fit, TaskContext, Verified
from numpy.typing import NDArray
from PIL import Image

from modelyard_plugin_task.architecture import LinearArchitecture

_SIDE = 16
_METRIC = "accuracy"
_STEP = 100.0
"""Plain gradient descent takes larger steps than the optimizers whose learning rates people write."""
Matrix = NDArray[np.float64]


class LinearTask:
    """Logistic regression from a 16 x 16 thumbnail to the classes that are in the picture."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._spec = context.document.spec
        self._weights: Matrix = np.zeros((0, 0))

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
        """Gradient descent, one batch after the other."""
        architecture = LinearArchitecture.of(self._spec.model.architecture)
        training, validation = (_arrays(side, len(data.classes)) for side in (data.training, data.validation))
        draw = np.random.default_rng(self._spec.training.seed)
        self._weights = draw.normal(0, 0.01, (training[0].shape[1], len(data.classes)))
        epochs: list[Epoch] = []
        best: ReportedBest | None = None
        for number in range(1, self._spec.training.epochs + 1):
            began = time.monotonic()
            if architecture.fails and number == architecture.fails_at:
                raise RunError(architecture.fails, f"epoch {number} was to end with {architecture.fails}")
            loss = self._epoch(number, training, draw, architecture.epoch_seconds)
            metrics = {_METRIC: self._accuracy(validation), "train/loss": loss}
            epochs.append(Epoch(number, time.monotonic() - began, metrics))
            self._save("last.npz", data.classes)
            if best is None or metrics[_METRIC] > best.value:
                best = ReportedBest(epoch=number, metric=_METRIC, value=metrics[_METRIC])
                self._save("best.npz", data.classes)
            self._context.progress.epoch_done(number, metrics, best)
        assert best is not None
        return Fit(tuple(epochs), best.epoch, data.classes, "cpu")

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Measure the saved weights, not those in memory."""
        with np.load(self._context.results / "best.npz") as saved:
            self._weights = saved["weights"]
        return Evaluation({_METRIC: self._accuracy(_arrays(data.validation, len(data.classes)))})

    def export(self) -> tuple[ExportedFile, ...]:
        """Nothing, which takes as long as an epoch, so that whoever watches sees it."""
        time.sleep(LinearArchitecture.of(self._spec.model.architecture).epoch_seconds)
        return ()

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Nothing."""
        return ()

    def _epoch(
        self, number: int, data: tuple[Matrix, Matrix], draw: np.random.Generator, least_seconds: float
    ) -> float:
        inputs, targets = data
        order = draw.permutation(len(inputs))
        batches = np.array_split(order, max(1, len(order) // self._context.document.batch_size))
        losses = []
        for step, batch in enumerate(batches, start=1):
            wanted, given = targets[batch], _sigmoid(inputs[batch] @ self._weights)
            losses.append(float(-np.mean(wanted * np.log(given + 1e-9) + (1 - wanted) * np.log(1 - given + 1e-9))))
            gradient = inputs[batch].T @ (given - wanted) / len(batch)
            self._weights -= _STEP * self._spec.training.optimizer.learning_rate * gradient
            self._context.progress.step(number, step, len(batches), {"loss": losses[-1]})
            time.sleep(least_seconds / len(batches))
        return float(np.mean(losses))

    def _accuracy(self, data: tuple[Matrix, Matrix]) -> float:
        inputs, targets = data
        return float(np.mean((_sigmoid(inputs @ self._weights) > 0.5) == (targets > 0.5)))

    def _save(self, name: str, classes: Sequence[str]) -> None:
        np.savez(self._context.results / name, weights=self._weights, classes=np.array(classes))


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
