"""A trained embedding network as files that run without us. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Export, ExportFormat
from torch import nn

from modelyard_trainer.tasks.base import ExportedFile, TaskContext
from modelyard_trainer.tasks.exporting import Details, export_all, write_onnx, write_torchscript

Checkpoint = TypeVar("Checkpoint")
INPUT, OUTPUT = "images", "embeddings"
"""(batch, 3, height, width) between 0 and 1, RGB; (batch, width), each of length 1."""


def export_embedder(
    context: TaskContext,
    checkpoint: Checkpoint,
    *,
    build: Callable[[Checkpoint], nn.Module],
    size: tuple[int, int],
    metadata: Mapping[str, str],
) -> tuple[ExportedFile, ...]:
    """Write the network in each format of the spec, in the order of formatPriorities.

    Args:
        context: all that the task is given.
        checkpoint: what is written.
        build: the network of it, for inference on the CPU.
        size: height and width of its pictures.
        metadata: what stands in the files.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    example = torch.zeros(1, 3, *size)

    def onnx(found: Checkpoint, _document: RunDocument, wanted: Export, path: Path) -> Details:
        names, axes = (INPUT, OUTPUT), {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
        return write_onnx(build(found), example, wanted, path, names=names, axes=axes, metadata=metadata)

    def torchscript(found: Checkpoint, _document: RunDocument, _wanted: Export, path: Path) -> Details:
        return write_torchscript(build(found), example, path, metadata=metadata)

    return export_all(context, checkpoint, {ExportFormat.ONNX: onnx, ExportFormat.TORCHSCRIPT: torchscript})
