"""Which exported files nobody should ship."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.export import Export, Precision
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import Verified


def refuse_what_differs(verified: Sequence[Verified]) -> None:
    """One file that says something else than PyTorch, or is worth too much less, fails the run.

    Raises:
        RunError: ExportDiffers, with the number and what would be right.
    """
    for each in verified:
        name, wanted = each.file.path.name, each.file.wanted
        if not each.agrees:
            raise RunError(
                Reason.EXPORT_DIFFERS,
                f"{name} differs from PyTorch by {each.difference:.3g} on validation pictures; its tolerance allows "
                f"{wanted.allowed_difference:g}",
            )
        if not each.is_good_enough:
            judged = each.judged
            raise RunError(
                Reason.EXPORT_DIFFERS,
                f"{name} reaches {judged.metric} {judged.value:.4f} on {judged.pictures} validation pictures and "
                f"PyTorch {judged.reference:.4f}: a drop of {judged.drop:.4f}, where its maxMetricDrop allows "
                f"{wanted.allowed_drop:g}; {_instead(wanted)} would be right",
            )


def _instead(wanted: Export) -> str:
    return "more epochs of spec.training.quantization" if wanted.qat else _INSTEAD[wanted.precision]


_INSTEAD = {
    Precision.INT8: "calibration.perChannel, more calibration.pictures, qat or precision fp16",
    Precision.FP16: "precision fp32",
    Precision.FP32: "another opset",
}
