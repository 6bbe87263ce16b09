"""Which exported files fail a run, and what it says; what status says of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_api.export import Export, ExportFormat, Precision
from modelyard_api.outcome import Reason
from modelyard_api.status import ExportStatus
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports.outcome import exported
from modelyard_trainer.exports.refusing import refuse_what_differs
from modelyard_trainer.tasks.base import ExportedFile, Judged, Latency, Verified


def verified(value: float, *, difference: float = 0.5, **asked: object) -> Verified:
    """best-int8.onnx, which reaches `value` where PyTorch reaches 0.95."""
    wanted = Export(format=ExportFormat.ONNX, **{"precision": Precision.INT8, **asked})
    judged = Judged("macroF1", value, 0.95, 120)
    file = ExportedFile(wanted, Path("/results/best-int8.onnx"))
    return Verified(file, difference, 16, ("1x3x32x32",), judged, Latency(4.25, 50, 2))


def test_8_bits_that_lose_little_pass_whatever_their_outputs_are() -> None:
    refuse_what_differs([verified(0.91, difference=3.0), verified(0.97), verified(0.9)])
    refuse_what_differs([verified(0.5, max_metric_drop=0.5)])


@pytest.mark.parametrize("value", [0.83, float("nan")])
def test_8_bits_that_lose_too_much_fail_with_the_numbers(value: float) -> None:
    with pytest.raises(RunError) as ended:
        refuse_what_differs([verified(value)])
    assert ended.value.reason is Reason.EXPORT_DIFFERS
    assert str(ended.value).endswith(
        f"best-int8.onnx reaches macroF1 {value:.4f} on 120 validation pictures and PyTorch 0.9500: a drop of "
        f"{0.95 - value:.4f}, where its maxMetricDrop allows 0.05; calibration.perChannel, more calibration.pictures, "
        "qat or precision fp16 would be right"
    )


def test_outputs_beyond_the_tolerance_fail_however_good_the_metric() -> None:
    for difference in (0.06, float("nan")):
        with pytest.raises(RunError, match=r"differs from PyTorch by .* its tolerance allows 0.05"):
            refuse_what_differs([verified(0.95, difference=difference, precision=Precision.FP16)])
    refuse_what_differs([verified(0.2, difference=0.06, precision=Precision.FP16, tolerance=0.1)])


def test_status_names_each_file_with_its_worth_and_each_that_is_not_there() -> None:
    engine = ExportedFile(Export(format=ExportFormat.TENSORRT), Path("/results/best.engine"), skipped="no TensorRT")
    assert exported([verified(0.93)], [engine]) == (
        ExportStatus(name="best-int8.onnx", metric="macroF1 0.93", drop="0.02", latency="4.25 ms on cpu"),
        ExportStatus(name="best.engine", skipped="no TensorRT"),
    )
