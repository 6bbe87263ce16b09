"""What exported files are called, and which comes first."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.export import Export, ExportFormat, Precision

SUFFIXES = {ExportFormat.ONNX: "onnx", ExportFormat.TORCHSCRIPT: "torchscript"}


def in_order(exports: Sequence[Export], priorities: Sequence[ExportFormat]) -> list[Export]:
    """The exports in the order of `priorities`; formats that are not in it come last, as they were written."""
    rank = {form: position for position, form in reversed(list(enumerate(priorities)))}
    return sorted(exports, key=lambda each: rank.get(each.format, len(rank) + len(priorities)))


def file_names(exports: Sequence[Export]) -> list[str]:
    """A name for each: best.onnx, best-fp16.onnx; of several alike, those after the first say what they are."""
    names: list[str] = []
    for export in exports:
        suffix = SUFFIXES[export.format]
        stem = "best" if export.precision is Precision.FP32 else f"best-{export.precision.value}"
        name = f"{stem}.{suffix}"
        if name in names:
            name = f"{stem}-opset{export.operators}{'-dynamic' if export.dynamic else ''}.{suffix}"
        names.append(name)
    return names
