"""What exported files are called, and which comes first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from modelyard_api.export import Export, ExportFormat, Precision

SUFFIXES = {form: form.value for form in ExportFormat} | {
    ExportFormat.TENSORRT: "engine",
    ExportFormat.IMX500: "imx500.onnx",
}


def in_order(exports: Sequence[Export], priorities: Sequence[ExportFormat]) -> list[Export]:
    """The exports in the order of `priorities`; formats that are not in it come last, as they were written."""
    rank = {form: position for position, form in reversed(list(enumerate(priorities)))}
    return sorted(exports, key=lambda each: rank.get(each.format, len(rank) + len(priorities)))


def stamp(run: str, moment: datetime) -> str:
    """How the names of a run's files begin where they are timestamped; to it their precision is added."""
    return f"{run}_{moment:%Y%m%d-%H%M%S}"


def file_names(exports: Sequence[Export], stamped: str | None = None) -> list[str]:
    """A name for each: best.onnx, best-fp16.onnx; of several alike, those after the first say what they are.

    Args:
        exports: in their order.
        stamped: what `stamp` gives, for STAMP_fp32.onnx and STAMP_fp16.onnx instead.
    """
    names: list[str] = []
    for export in exports:
        suffix, precision = SUFFIXES[export.format], export.precision
        if stamped is not None:
            stem = f"{stamped}_{precision.value}"
        else:
            stem = "best" if precision is Precision.FP32 else f"best-{precision.value}"
        if export.qat:
            stem += "-qat"
        name = f"{stem}.{suffix}"
        if name in names:
            name = f"{stem}-opset{export.operators}{'-dynamic' if export.dynamic else ''}.{suffix}"
        names.append(name)
    return names
