"""The task `face-id`, chapter by chapter."""

from __future__ import annotations

from modelyard_api.face_id import FaceId

from modelyard_trainer.dataset.identities import check_identities
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.loop.device import check_device, pick_device
from modelyard_trainer.loop.memory import explain_memory
from modelyard_trainer.tasks.base import Evaluation, ExportedFile, Fit, TaskContext, Verified
from modelyard_trainer.tasks.classification.architecture import check_architecture
from modelyard_trainer.tasks.offline import prepare


class FaceIdTask:
    """Trains a timm backbone to give embeddings. See `modelyard_trainer.tasks.base.Task` for the methods.

    Args:
        context: all that a task is given.
        workers: processes that load pictures, where not as many as the spec says on a GPU and none without.
    """

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        self._context, self._workers = context, workers
        self._document, self._spec = context.document, context.document.spec
        self._block = self._spec.face_id or FaceId()

    def check_spec(self) -> None:
        """The architecture must be known, and the GPUs at most one."""
        check_architecture(self._spec.model.architecture)
        check_device(self._spec)

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Every picture and label must be sound."""
        return check_identities(
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
        from modelyard_trainer.tasks.face_id.recipe import recipe_of  # noqa: PLC0415

        device, notices = pick_device(self._spec)
        settle(self._document.training.deterministic)
        with explain_memory(self._document.batch_size):
            recipe, validation = recipe_of(self._context, self._block, data, device, self._workers)
            try:
                return fit(self._context, data, recipe, device=device, notices=notices, workers=self._workers)
            finally:
                validation.close()

    def adopt(self, data: CheckedDataset) -> Fit:
        """Take the given weights as they are."""
        prepare(self._context.scratch, self._context.cpus)
        from modelyard_trainer.tasks.face_id.adopt import adopt_identifier  # noqa: PLC0415 - imports torch

        device, notices = pick_device(self._spec)
        return adopt_identifier(self._context, self._block, data, device, notices)

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Look at what best.pt makes of the validation pictures, of the test's and of identities held out."""
        from modelyard_trainer.tasks.face_id.evaluate import evaluate  # noqa: PLC0415 - imports torch

        with explain_memory(self._document.batch_size):
            return evaluate(self._context, self._block, data, fit)

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Write each format that was asked for."""
        from modelyard_trainer.exports.writing import export_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.face_id.export import TrainedIdentifier  # noqa: PLC0415

        return export_all(self._context, TrainedIdentifier(self._context, self._block, data), data.training)

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Hold each exported file against PyTorch on validation pictures."""
        from modelyard_trainer.exports.comparing import verify_all  # noqa: PLC0415 - imports torch
        from modelyard_trainer.tasks.face_id.export import TrainedIdentifier  # noqa: PLC0415

        subject = TrainedIdentifier(self._context, self._block, data)
        return verify_all(self._context, subject, exports, data.validation)
