"""A trained detector as files that run without us. Imports torch and ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Export, ExportFormat
from ultralytics.nn.modules import C2f, Detect

from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.exporting import Details, export_all, provenance, write_onnx, write_torchscript

_INPUT, _OUTPUT = "images", "output0"
"""ultralytics' own names, so that what reads its exports reads ours."""


def export(context: TaskContext) -> tuple[ExportedFile, ...]:
    """Export best.pt to each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    writers = {ExportFormat.ONNX: _write_onnx, ExportFormat.TORCHSCRIPT: _write_torchscript}
    return export_all(context, Checkpoint.load(context.results / BEST), writers)


def exportable(checkpoint: Checkpoint, *, dynamic: bool) -> Any:
    """The network as it is exported: batch normalisation folded in, one output of (batch, 4 + classes, anchors).

    Boxes are centre x, centre y, width, height in pixels of the input; scores are between 0 and 1.
    """
    model = build_model(checkpoint).fuse(verbose=False)
    for parameter in model.parameters():
        parameter.requires_grad = False
    for module in model.modules():
        if isinstance(module, Detect):
            module.dynamic, module.export, module.format, module.shape = dynamic, True, "onnx", None
        elif isinstance(module, C2f):
            module.forward = module.forward_split  # chunk() traces into a less tidy graph
    return model


def _write_onnx(checkpoint: Checkpoint, document: RunDocument, wanted: Export, path: Path) -> Details:
    model, example = _traceable(checkpoint, dynamic=wanted.dynamic)
    return write_onnx(
        model,
        example,
        wanted,
        path,
        names=(_INPUT, _OUTPUT),
        axes={_INPUT: {0: "batch", 2: "height", 3: "width"}, _OUTPUT: {0: "batch", 2: "anchors"}},
        metadata=_metadata(checkpoint, document, model, dynamic=wanted.dynamic),
    )


def _write_torchscript(checkpoint: Checkpoint, document: RunDocument, wanted: Export, path: Path) -> Details:
    model, example = _traceable(checkpoint, dynamic=wanted.dynamic)
    return write_torchscript(model, example, path, metadata=_metadata(checkpoint, document, model, dynamic=False))


def _traceable(checkpoint: Checkpoint, *, dynamic: bool) -> tuple[Any, torch.Tensor]:
    model = exportable(checkpoint, dynamic=dynamic)
    example = torch.zeros(1, 3, checkpoint.image_size, checkpoint.image_size)
    model(example)  # lets the head remember its anchors before it is traced
    return model, example


def _metadata(checkpoint: Checkpoint, document: RunDocument, model: Any, *, dynamic: bool) -> dict[str, str]:
    """What ultralytics and other runtimes look for in an exported file."""
    return provenance(document) | {
        "description": f"{checkpoint.architecture}, epoch {checkpoint.epoch}",
        "task": "detect",
        "stride": str(int(max(model.stride))),
        "batch": "1",
        "imgsz": str([checkpoint.image_size, checkpoint.image_size]),
        "names": str(dict(enumerate(checkpoint.classes))),
        "channels": "3",
        "end2end": "False",
        "dynamic": str(dynamic),
    }
