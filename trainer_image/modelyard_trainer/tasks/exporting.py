"""Trained networks as files that run without us, whatever the task. Imports torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import onnx
import torch
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import DEFAULT_OPSET, Export, ExportFormat

from modelyard_trainer.environment import git_revision
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import ExportedFile, TaskContext

_log = logging.getLogger("modelyard.training")
_SUFFIXES = {ExportFormat.ONNX: "onnx", ExportFormat.TORCHSCRIPT: "torchscript"}
Details = dict[str, str | int | bool]
Checkpoint = TypeVar("Checkpoint")
Writer = Callable[[Checkpoint, RunDocument, Export, Path], Details]
"""Writes a file of a checkpoint, and tells what the record says of it."""


def export_all(
    context: TaskContext, checkpoint: Checkpoint, writers: Mapping[ExportFormat, Writer[Checkpoint]]
) -> tuple[ExportedFile, ...]:
    """Write the checkpoint in each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    spec, files = context.document.spec, []
    for wanted in in_order(spec.export, spec.format_priorities):
        context.progress.detail(wanted.format.value)
        path = context.results / f"best.{_SUFFIXES[wanted.format]}"
        try:
            details = writers[wanted.format](checkpoint, context.document, wanted, path)
        except Exception as error:
            # Exporters raise all kinds of errors; whichever it is, this model has no such file.
            first = str(error).strip().partition("\n")[0]
            raise RunError(
                Reason.EXPORT_FAILED,
                f"{spec.model.architecture} could not be exported to {wanted.format.value}"
                f"{f' with opset {wanted.opset}' if wanted.opset else ''}: {type(error).__name__}: {first}",
            ) from error
        _log.info("exported %s (%.1f MB)", path.name, path.stat().st_size / 1e6)
        files.append(ExportedFile(wanted.format, path, wanted.tolerance, details))
    return tuple(files)


def in_order(exports: list[Export], priorities: list[ExportFormat]) -> list[Export]:
    """The exports in the order of `priorities`; formats that are not in it come last, as they were written."""
    rank = {form: position for position, form in reversed(list(enumerate(priorities)))}
    return sorted(exports, key=lambda each: rank.get(each.format, len(rank) + len(priorities)))


def write_onnx(
    model: Any,
    example: torch.Tensor,
    wanted: Export,
    path: Path,
    *,
    names: tuple[str, str],
    axes: Mapping[str, Mapping[int, str]],
    metadata: Mapping[str, str],
) -> Details:
    """Write a network with one input and one output as ONNX, checked for soundness.

    Args:
        model: in evaluation mode, on the CPU.
        example: an input.
        wanted: its opset, and whether `axes` stay open.
        path: where to.
        names: of input and output.
        axes: what may change its size, by input or output: dimension to name.
        metadata: what stands in the file.
    """
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
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes={name: dict(each) for name, each in axes.items()} if wanted.dynamic else None,
            dynamo=False,
        )
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, dict(metadata))
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
    return {"opset": opset, "dynamic": wanted.dynamic}


def write_torchscript(model: Any, example: torch.Tensor, path: Path, *, metadata: Mapping[str, str]) -> Details:
    """Write a network as TorchScript, with the metadata as JSON in its extra file config.txt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
    traced.save(str(path), _extra_files={"config.txt": json.dumps(metadata)})
    return {}


def provenance(document: RunDocument) -> dict[str, str]:
    """What an exported file says of where it comes from."""
    spec = json.dumps(document.spec.to_json_object(), sort_keys=True, separators=(",", ":"))
    return {
        "producer": "Modelyard",
        "run": f"{document.namespace}/{document.name}",
        "specSha256": hashlib.sha256(spec.encode()).hexdigest(),
        "revision": git_revision() or "unknown",
    }
