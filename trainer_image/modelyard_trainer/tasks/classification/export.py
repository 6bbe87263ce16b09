"""A trained classifier as files that run without us. Imports torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from modelyard_api.classification import Classification
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Export, ExportFormat

from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.exporting import Details, export_all, provenance, write_onnx, write_torchscript

INPUT, OUTPUT = "images", "logits"
"""(batch, 3, side, side) between 0 and 1, RGB; (batch, classes)."""


def export(context: TaskContext) -> tuple[ExportedFile, ...]:
    """Export best.pt to each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    writers = {ExportFormat.ONNX: _write_onnx, ExportFormat.TORCHSCRIPT: _write_torchscript}
    return export_all(context, Checkpoint.load(context.results / BEST), writers)


def _write_onnx(checkpoint: Checkpoint, document: RunDocument, wanted: Export, path: Path) -> Details:
    return write_onnx(
        build_model(checkpoint),
        _example(checkpoint),
        wanted,
        path,
        names=(INPUT, OUTPUT),
        axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        metadata=metadata(checkpoint, document),
    )


def _write_torchscript(checkpoint: Checkpoint, document: RunDocument, wanted: Export, path: Path) -> Details:
    del wanted  # nothing in it is for this format
    return write_torchscript(
        build_model(checkpoint), _example(checkpoint), path, metadata=metadata(checkpoint, document)
    )


def _example(checkpoint: Checkpoint) -> torch.Tensor:
    return torch.zeros(1, 3, checkpoint.image_size, checkpoint.image_size)


def metadata(checkpoint: Checkpoint, document: RunDocument) -> dict[str, str]:
    """What stands in an exported file: where it is from, its labels, and what its input must be."""
    block = document.spec.classification or Classification()
    table = block.table
    metric = block.metric.value
    preprocessing: dict[str, Any] = {
        "color": "RGB",
        "layout": "NCHW",
        "range": [0, 1],
        "size": [checkpoint.image_size, checkpoint.image_size],
        "resize": checkpoint.resize,
        "interpolation": "bilinear, antialiased",
        "normalisation": "in the network",
    }
    if table is not None and table.roi is not None:
        preprocessing["region"] = {"name": table.roi.region, "padding": table.roi.padding}
    return provenance(document) | {
        "description": f"{checkpoint.architecture}, epoch {checkpoint.epoch}",
        "task": "classification",
        "labels": json.dumps({str(number): name for number, name in enumerate(checkpoint.classes)}),
        "preprocessing": json.dumps(preprocessing),
        "metric": json.dumps({"name": metric, "value": checkpoint.metrics[metric], "of": "validation"}),
    }
