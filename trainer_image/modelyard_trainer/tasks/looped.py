"""What every task on our own loop does alike, chapter by chapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypedDict

from modelyard_api.model import Mode

from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.dataset.reading import Tell
from modelyard_trainer.loop.device import pick_device
from modelyard_trainer.tasks.base import Evaluation, ExportedFile, Fit, TaskContext, Verified
from modelyard_trainer.tasks.offline import prepare

if TYPE_CHECKING:
    from modelyard_trainer.exports.subject import Subject
    from modelyard_trainer.loop.fit import Recipe


class Checking(TypedDict):
    """What the checks of all data sets take alike."""

    seed: int
    threads: int
    tell: Tell
    mode: Mode


class LoopedTask(ABC):
    """Trains by a recipe. See `modelyard_trainer.tasks.base.Task` for the public methods; the others make it a task.

    Args:
        context: all that a task is given.
        workers: processes that load pictures, where not as many as the spec says on a GPU and none without.
    """

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        self._context, self._workers = context, workers
        self._document, self._spec = context.document, context.document.spec

    @abstractmethod
    def check_spec(self) -> None:
        """Refuse what this task cannot do as asked."""

    @abstractmethod
    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Every picture and label must be sound."""

    @abstractmethod
    def _recipe(self, data: CheckedDataset, device: str) -> AbstractContextManager[Recipe]:
        """What this task brings to the loop, for as long as it trains."""

    @abstractmethod
    def _adopted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        """The given weights as they are."""

    @abstractmethod
    def _evaluated(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """What the published best.pt makes of pictures that it was not trained on."""

    @abstractmethod
    def _subject(self, data: CheckedDataset) -> Subject:
        """What is exported, and judged by its metric."""

    def fit(self, data: CheckedDataset) -> Fit:
        """Train exactly as asked, from where the newest checkpoint ends, with as many others as there are GPUs."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.tasks.several import fit_together  # noqa: PLC0415 - imports torch

        return fit_together(self, self._context, data, self._workers)

    def fitted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        """What `fit` is in the first rank, or in one process alone."""
        from modelyard_trainer.loop.fit import fit, settle  # noqa: PLC0415 - imports torch

        settle(self._document.training.deterministic)
        with self._recipe(data, device) as recipe:
            return fit(self._context, data, recipe, device=device, notices=notices, workers=self._workers)

    def follow(self, data: CheckedDataset, device: str) -> None:
        """Train with the first rank, which does all else, on this rank's device."""
        from modelyard_trainer.loop.fit import follow, settle  # noqa: PLC0415 - imports torch

        settle(self._document.training.deterministic)
        with self._recipe(data, device) as recipe:
            follow(self._context, recipe, device=device, workers=self._workers)

    def adopt(self, data: CheckedDataset) -> Fit:
        """Take the given weights as they are."""
        prepare(self._context.scratch, self._context.cpus)
        return self._adopted(data, *pick_device(self._spec))

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Look at what the published best.pt makes of the validation pictures, and of others that were set aside."""
        return self._evaluated(data, fit)

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Write each format that was asked for."""
        from modelyard_trainer.exports.writing import export_all  # noqa: PLC0415 - imports torch

        return export_all(self._context, self._subject(data), data.training)

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Hold each exported file against PyTorch on validation pictures."""
        from modelyard_trainer.exports.comparing import verify_all  # noqa: PLC0415 - imports torch

        return verify_all(self._context, self._subject(data), exports, data.validation)

    @property
    def _checking(self) -> Checking:
        """How a data set is checked, whichever it is."""

        def tell(done: int, of: int) -> None:
            self._context.progress.detail(f"{done} of {of} pictures")

        return {
            "seed": self._spec.training.seed,
            "threads": self._context.cpus,
            "tell": tell,
            "mode": self._spec.mode,
        }

    @property
    def _known(self) -> tuple[str, ...] | None:
        """The classes of weights that are measured or exported as they are, where their file says them."""
        if self._spec.mode is Mode.TRAIN:
            return None
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.weights.reading import read_weights  # noqa: PLC0415 - imports torch

        fetched = self._context.weights()
        weights = read_weights(fetched) if fetched else None
        ours = weights is not None and (weights.form or "").startswith(f"modelyard/{self._spec.task.value}/")
        return weights.classes if weights is not None and ours else None
