"""Networks as ONNX. Imports torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from modelyard_api.export import Export

from modelyard_trainer.exports.subject import Subject


def traced(subject: Subject, model: Any, wanted: Export, path: Path) -> onnx.ModelProto:
    """A network of the subject's as an ONNX graph, which is at `path` on the way."""
    with warnings.catch_warnings():
        # The exporter through TorchScript is deprecated, but the newer one writes opset 18 and above only and converts
        # down, which fails for many operators: 14, which users ask for, needs this one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (subject.example,),
            str(path),
            opset_version=wanted.operators,
            input_names=[subject.input],
            output_names=[subject.output],
            dynamic_axes={name: dict(each) for name, each in subject.axes.items()} if wanted.dynamic else None,
            dynamo=False,
        )
    return onnx.load(str(path))


def finish(graph: onnx.ModelProto, metadata: Mapping[str, str], path: Path) -> None:
    """Write a graph with its metadata, checked for soundness."""
    onnx.helper.set_model_props(graph, dict(metadata))
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
