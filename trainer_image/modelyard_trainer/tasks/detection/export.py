"""The trained network as files that run without us. Imports torch and ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from modelyard_api.outcome import Reason
from modelyard_api.spec import DEFAULT_OPSET, Export, ExportFormat
from ultralytics.nn.modules import C2f, Detect

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model, load_checkpoint

_log = logging.getLogger("modelyard.detection")
_INPUT, _OUTPUT = "images", "output0"
"""ultralytics' own names, so that what reads its exports reads ours."""
_SUFFIXES = {ExportFormat.ONNX: "onnx", ExportFormat.TORCHSCRIPT: "torchscript"}


def export(context: TaskContext) -> tuple[ExportedFile, ...]:
    """Export best.pt to each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    checkpoint = load_checkpoint(context.results / BEST)
    files = []
    for wanted in in_order(context.document.spec.export, context.document.spec.format_priorities):
        context.progress.detail(wanted.format.value)
        path = context.results / f"best.{_SUFFIXES[wanted.format]}"
        try:
            details = _WRITERS[wanted.format](checkpoint, wanted, path)
        except Exception as error:
            # Exporters raise all kinds of errors; whichever it is, this model has no such file.
            first = str(error).strip().partition("\n")[0]
            raise RunError(
                Reason.EXPORT_FAILED,
                f"{checkpoint.architecture} could not be exported to {wanted.format.value}"
                f"{f' with opset {wanted.opset}' if wanted.opset else ''}: {type(error).__name__}: {first}",
            ) from error
        _log.info("exported %s (%.1f MB)", path.name, path.stat().st_size / 1e6)
        files.append(ExportedFile(wanted.format, path, wanted.tolerance, details))
    return tuple(files)


def in_order(exports: list[Export], priorities: list[ExportFormat]) -> list[Export]:
    """The exports in the order of `priorities`; formats that are not in it come last, as they were written."""
    rank = {form: position for position, form in reversed(list(enumerate(priorities)))}
    return sorted(exports, key=lambda each: rank.get(each.format, len(rank) + len(priorities)))


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


def _write_onnx(checkpoint: Checkpoint, wanted: Export, path: Path) -> dict[str, str | int | bool]:
    model = exportable(checkpoint, dynamic=wanted.dynamic)
    example = torch.zeros(1, 3, checkpoint.image_size, checkpoint.image_size)
    model(example)  # lets the head remember its anchors before it is traced
    axes = {_INPUT: {0: "batch", 2: "height", 3: "width"}, _OUTPUT: {0: "batch", 2: "anchors"}}
    opset = wanted.opset or DEFAULT_OPSET
    with warnings.catch_warnings():
        # The exporter through TorchScript is deprecated, but the newer one writes opset 18 and above only and converts
        # down, which fails for many operators: 14, which users ask for, needs this one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            str(path),
            opset_version=opset,
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            dynamic_axes=axes if wanted.dynamic else None,
            dynamo=False,
        )
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, _metadata(checkpoint, model, dynamic=wanted.dynamic))
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
    return {"opset": opset, "dynamic": wanted.dynamic}


def _write_torchscript(checkpoint: Checkpoint, wanted: Export, path: Path) -> dict[str, str | int | bool]:
    model = exportable(checkpoint, dynamic=wanted.dynamic)
    example = torch.zeros(1, 3, checkpoint.image_size, checkpoint.image_size)
    model(example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
    config = json.dumps(_metadata(checkpoint, model, dynamic=False))
    traced.save(str(path), _extra_files={"config.txt": config})
    return {}


_WRITERS = {ExportFormat.ONNX: _write_onnx, ExportFormat.TORCHSCRIPT: _write_torchscript}


def _metadata(checkpoint: Checkpoint, model: Any, *, dynamic: bool) -> dict[str, str]:
    """What ultralytics and other runtimes look for in an exported file."""
    return {
        "description": f"{checkpoint.architecture}, epoch {checkpoint.epoch}",
        "producer": "Modelyard",
        "task": "detect",
        "stride": str(int(max(model.stride))),
        "batch": "1",
        "imgsz": str([checkpoint.image_size, checkpoint.image_size]),
        "names": str(dict(enumerate(checkpoint.classes))),
        "channels": "3",
        "end2end": "False",
        "dynamic": str(dynamic),
    }
