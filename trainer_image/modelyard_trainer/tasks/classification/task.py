"""The task `classification`: what it alone brings to the chapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from modelyard_api.classification import Classification

from modelyard_trainer.dataset.classification import check_classification
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.loop.device import check_device
from modelyard_trainer.tasks.base import Evaluation, Fit, TaskContext
from modelyard_trainer.tasks.classification.architecture import check_architecture
from modelyard_trainer.tasks.looped import LoopedTask

if TYPE_CHECKING:
    from modelyard_trainer.exports.subject import Subject
    from modelyard_trainer.loop.fit import Recipe


class ClassificationTask(LoopedTask):
    """Trains a timm backbone."""

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        super().__init__(context, workers)
        self._block = self._spec.classification or Classification()

    def check_spec(self) -> None:
        """The architecture must be known, and there must be a GPU for mixed precision."""
        check_architecture(self._spec.model.architecture)
        check_device(self._spec)

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Every picture and label must be sound."""
        return check_classification(fetched, self._spec.dataset, self._block, **self._checking, known=self._known)

    @contextmanager
    def _recipe(self, data: CheckedDataset, device: str) -> Iterator[Recipe]:
        from modelyard_trainer.tasks.classification.recipe import recipe_of  # noqa: PLC0415 - imports torch

        recipe, validation = recipe_of(self._context, self._block, data, device, self._workers)
        with closing(validation):
            yield recipe

    def _adopted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        from modelyard_trainer.tasks.classification.adopt import adopt_classifier  # noqa: PLC0415 - imports torch

        return adopt_classifier(self._context, self._block, data, device, notices)

    def _evaluated(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        from modelyard_trainer.tasks.classification.evaluate import evaluate  # noqa: PLC0415 - imports torch

        return evaluate(self._context, self._block, data, fit)

    def _subject(self, data: CheckedDataset) -> Subject:
        from modelyard_trainer.tasks.classification.export import TrainedClassifier  # noqa: PLC0415 - imports torch

        return TrainedClassifier(self._context, self._block, data)
