"""The task `reid`: what it alone brings to the chapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid

from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.dataset.reid import ReidDataset, check_reid
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.device import check_device
from modelyard_trainer.tasks.base import Evaluation, Fit, TaskContext
from modelyard_trainer.tasks.looped import LoopedTask
from modelyard_trainer.tasks.reid.architecture import check_architecture

if TYPE_CHECKING:
    from modelyard_trainer.exports.subject import Subject
    from modelyard_trainer.loop.fit import Recipe


class ReidTask(LoopedTask):
    """Trains an OSNet of torchreid's."""

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        super().__init__(context, workers)
        self._block = self._spec.reid or Reid()

    def check_spec(self) -> None:
        """The architecture must be known, and something must be left to train."""
        check_architecture(self._spec.model.architecture)
        check_device(self._spec)
        if self._spec.training.freeze_backbone and not self._block.loss.weight_x:
            raise RunError(
                Reason.SPEC_INVALID,
                "spec.training.freezeBackbone: the triplet loss trains nothing but the backbone; "
                "spec.reid.loss.weightX above 0 would be right",
            )

    def check(self, fetched: FetchedDataset) -> ReidDataset:
        """Every name and every picture must be sound."""
        return check_reid(fetched, self._spec.dataset, self._block, **self._checking)

    @contextmanager
    def _recipe(self, data: CheckedDataset, device: str) -> Iterator[Recipe]:
        from modelyard_trainer.tasks.reid.recipe import finders_of, recipe_of  # noqa: PLC0415 - imports torch

        own = _own(data)
        with finders_of(self._context, self._block, own, device, self._workers) as finders:
            yield recipe_of(self._context, self._block, own, device, finders)

    def _adopted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        """Whichever persons they were trained on."""
        from modelyard_trainer.tasks.reid.adopt import adopt_reidentifier  # noqa: PLC0415 - imports torch

        return adopt_reidentifier(self._context, self._block, data, device, notices)

    def _evaluated(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """The persons of the targets are looked for."""
        from modelyard_trainer.tasks.reid.evaluate import evaluate  # noqa: PLC0415 - imports torch

        return evaluate(self._context, self._block, _own(data), fit)

    def _subject(self, data: CheckedDataset) -> Subject:
        from modelyard_trainer.tasks.reid.export import TrainedReidentifier  # noqa: PLC0415 - imports torch

        return TrainedReidentifier(self._context, self._block, _own(data))


def _own(data: CheckedDataset) -> ReidDataset:
    if not isinstance(data, ReidDataset):
        raise TypeError(f"re-identification trains on what it has checked itself, not on a {type(data).__name__}")
    return data
