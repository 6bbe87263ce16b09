"""How a published file is loaded, in three lines that the tests run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard_api.export import ExportFormat

WEIGHTS = """import torch
checkpoint = torch.load("{name}", weights_only=True)
weights, labels = checkpoint["state_dict"], checkpoint["names"]"""
"""For best.pt, which is always there."""
QUANTISED_WEIGHTS = """import torch
checkpoint = torch.load("{name}", weights_only=True)
weights, layers = checkpoint["state_dict"], checkpoint["scheme"]["layers"]"""
"""For best-qat.pt."""
_ONNX = """import numpy, onnxruntime
session = onnxruntime.InferenceSession("{name}")
outputs = session.run(None, {{session.get_inputs()[0].name: numpy.zeros({shape}, numpy.float32)}})[0]"""
_EXAMPLES = {
    ExportFormat.ONNX: _ONNX,
    ExportFormat.IMX500: _ONNX,
    ExportFormat.TORCHSCRIPT: """import torch
model = torch.jit.load("{name}")
outputs = model(torch.zeros{shape})""",
    ExportFormat.SAFETENSORS: """from safetensors import safe_open
file = safe_open("{name}", "pt")
weights, metadata = {{key: file.get_tensor(key) for key in file.keys()}}, file.metadata()""",
    ExportFormat.GGUF: """from gguf import GGUFReader
reader = GGUFReader("{name}")
weights = {{tensor.name: tensor.data for tensor in reader.tensors}}""",
    ExportFormat.TENSORRT: """import pathlib, tensorrt
runtime = tensorrt.Runtime(tensorrt.Logger())
engine = runtime.deserialize_cuda_engine(pathlib.Path("{name}").read_bytes())""",
}


def example(export: Mapping[str, Any]) -> str:
    """For a file as run.json describes it."""
    shape = tuple(int(side) for side in export["inputShapes"][0].split("x"))
    return _EXAMPLES[ExportFormat(export["format"])].format(name=export["name"], shape=shape)
