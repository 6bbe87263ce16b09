"""Engines of NVIDIA TensorRT, built where it is installed. Imports torch.

Never run in our tests: there was no GPU with TensorRT to run it on.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from modelyard_trainer.exports.subject import Images, Output, Runner


def missing() -> str | None:
    """Why no engine can be built here, as a sentence; None where one can."""
    if importlib.util.find_spec("tensorrt") is None:
        return "TensorRT is not in this image"
    if not torch.cuda.is_available():
        return "TensorRT builds engines on the GPU that they are for, and there is none"
    return None


def build(onnx: Path, engine: Path) -> dict[str, str | int | bool]:
    """Write the engine of an ONNX file, whose numbers it computes in, and tell what it runs on and nowhere else.

    Raises:
        RuntimeError: TensorRT cannot build it.
    """
    trt = _tensorrt()
    log = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(log)
    # Strongly typed: since version 11 precision is said by the graph alone, and before that it may be.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        raise RuntimeError(f"TensorRT cannot read the graph: {parser.get_error(0).desc()}")
    content = builder.build_serialized_network(network, builder.create_builder_config())
    if content is None:
        raise RuntimeError("TensorRT could not build the engine; its own words are in the pod's log")
    engine.write_bytes(bytes(content))
    major, minor = torch.cuda.get_device_capability()
    return {
        "tensorrt": str(trt.__version__),
        "gpu": torch.cuda.get_device_name(),
        "gpuArchitecture": f"sm_{major}{minor}",
    }


def runner(engine: Path) -> Runner:
    """Runs an engine with one input and one output of fixed sizes."""
    trt = _tensorrt()
    loaded = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(engine.read_bytes())
    context = loaded.create_execution_context()
    taken, given = (loaded.get_tensor_name(number) for number in range(2))
    output = torch.empty(tuple(loaded.get_tensor_shape(given)), device="cuda")
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def run(images: Images) -> Output:
        image = torch.from_numpy(images).cuda().contiguous()
        torch.cuda.synchronize()
        context.set_tensor_address(taken, image.data_ptr())
        context.set_tensor_address(given, output.data_ptr())
        context.execute_async_v3(stream.cuda_stream)
        stream.synchronize()
        found: Output = output.float().cpu().numpy()
        return found

    return run


def _tensorrt() -> Any:
    return importlib.import_module("tensorrt")
