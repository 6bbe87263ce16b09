"""The task `reid`, chapter by chapter."""

from __future__ import annotations

from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid

from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.dataset.reid import ReidDataset, check_reid
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.device import check_device, pick_device
from modelyard_trainer.loop.memory import explain_memory
from modelyard_trainer.tasks.base import Evaluation, ExportedFile, Fit, TaskContext, Verified
from modelyard_trainer.tasks.offline import prepare
from modelyard_trainer.tasks.reid.architecture import check_architecture


class ReidTask:
    """Trains an OSNet of torchreid's. See `modelyard_trainer.tasks.base.Task` for the methods.

    Args:
        context: all that a task is given.
        workers: processes that load pictures, where not as many as the spec says on a GPU and none without.
    """

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        self._context, self._workers = context, workers
        self._document, self._spec = context.document, context.document.spec
        self._block = self._spec.reid or Reid()

    def check_spec(self) -> None:
        """The architecture must be known, the GPUs at most one, and something must be left to train."""
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
        return check_reid(
            fetched,
            self._spec.dataset,
            self._block,
            seed=self._spec.training.seed,
            threads=self._context.cpus,
            tell=lambda done, of: self._context.progress.detail(f"{done} of {of} pictures"),
        )

    def fit(self, data: CheckedDataset) -> Fit:
        """Train exactly as asked, from where the newest checkpoint ends."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.loop.fit import fit, settle  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.reid.recipe import finders_of, recipe_of  # noqa: PLC0415

        device, notices = pick_device(self._spec)
        settle(self._document.training.deterministic)
        own = _own(data)
        with (
            explain_memory(self._document.batch_size),
            finders_of(self._context, self._block, own, device, self._workers) as finders,
        ):
            recipe = recipe_of(self._context, self._block, own, device, finders)
            return fit(self._context, data, recipe, device=device, notices=notices, workers=self._workers)

    def adopt(self, data: CheckedDataset) -> Fit:
        """Take the given weights as they are, whichever persons they were trained on."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.tasks.reid.adopt import adopt_reidentifier  # noqa: PLC0415 - imports torch

        device, notices = pick_device(self._spec)
        return adopt_reidentifier(self._context, self._block, data, device, notices)

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Look for the persons of the targets with the published best.pt."""
        from modelyard_trainer.tasks.reid.evaluate import evaluate  # noqa: PLC0415 - imports torch

        with explain_memory(self._document.batch_size):
            return evaluate(self._context, self._block, _own(data), fit)

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Write each format that was asked for."""
        from modelyard_trainer.exports.writing import export_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.reid.export import TrainedReidentifier  # noqa: PLC0415

        return export_all(self._context, TrainedReidentifier(self._context, self._block, _own(data)), data.training)

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Hold each exported file against PyTorch on pictures of the targets."""
        from modelyard_trainer.exports.comparing import verify_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.reid.export import TrainedReidentifier  # noqa: PLC0415

        subject = TrainedReidentifier(self._context, self._block, _own(data))
        return verify_all(self._context, subject, exports, data.validation)


def _own(data: CheckedDataset) -> ReidDataset:
    if not isinstance(data, ReidDataset):
        raise TypeError(f"re-identification trains on what it has checked itself, not on a {type(data).__name__}")
    return data
