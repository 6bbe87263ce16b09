"""What exported files are called, and in which order they come."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard_api.export import Export, ExportFormat, Precision
from modelyard_trainer.exports.naming import file_names, in_order, stamp
from modelyard_trainer.exports.picking import strided


def test_exports_come_in_the_order_of_preference() -> None:
    onnx, script = Export(format=ExportFormat.ONNX), Export(format=ExportFormat.TORCHSCRIPT)
    other = Export(format=ExportFormat.ONNX, opset=14)
    assert in_order([onnx, script, other], [ExportFormat.TORCHSCRIPT]) == [script, onnx, other]
    assert in_order([script, onnx], [ExportFormat.ONNX, ExportFormat.TORCHSCRIPT]) == [onnx, script]
    assert in_order([script, onnx], []) == [script, onnx]


def test_no_file_takes_the_name_of_another() -> None:
    wanted = [
        Export(format=ExportFormat.ONNX, opset=14),
        Export(format=ExportFormat.ONNX, precision=Precision.INT8),
        Export(format=ExportFormat.ONNX, precision=Precision.INT8, qat=True),
        Export(format=ExportFormat.ONNX),
        Export(format=ExportFormat.ONNX, opset=14, dynamic=True),
        Export(format=ExportFormat.TORCHSCRIPT),
    ]
    assert file_names(wanted) == [
        "best.onnx",
        "best-int8.onnx",
        "best-int8-qat.onnx",
        "best-opset17.onnx",
        "best-opset14-dynamic.onnx",
        "best.torchscript",
    ]


def test_names_with_time_stamps_say_run_time_and_precision() -> None:
    moment = datetime(2026, 11, 21, 9, 5, 7, tzinfo=UTC)
    wanted = [
        Export(format=ExportFormat.ONNX),
        Export(format=ExportFormat.ONNX, precision=Precision.INT8),
        Export(format=ExportFormat.ONNX, opset=14, dynamic=True),
        Export(format=ExportFormat.TENSORRT, precision=Precision.FP16),
    ]
    assert file_names(wanted, stamp("side", moment)) == [
        "side_20261121-090507_fp32.onnx",
        "side_20261121-090507_int8.onnx",
        "side_20261121-090507_fp32-opset14-dynamic.onnx",
        "side_20261121-090507_fp16.engine",
    ]


def test_some_of_many_are_spread_over_all_of_them() -> None:
    assert strided(range(10), 4) == (0, 2, 5, 7)
    assert strided(range(3), 16) == (0, 1, 2)
    assert strided([], 16) == ()
