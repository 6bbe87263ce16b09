"""Exported files, ready to run. Imports torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from modelyard_api.export import ExportFormat

from modelyard_trainer.exports import tensorrt
from modelyard_trainer.exports.containers import READERS, like
from modelyard_trainer.exports.subject import Images, Output, Runner, Subject
from modelyard_trainer.tasks.base import ExportedFile


def runner_of(file: ExportedFile, subject: Subject, threads: int) -> Runner:
    """Runs the file on the CPU (an engine on its GPU), with as many threads; batches one by one where it takes none.

    Weights without a network are run in the subject's.
    """
    form = file.wanted.format
    if form in READERS:
        return in_pytorch(subject.network(like(READERS[form](file.path), subject.weights)))
    run = _RUNNERS[form](file.path, threads)
    return run if file.wanted.dynamic else lambda images: np.concatenate([run(image[None]) for image in images])


def in_pytorch(model: Callable[[torch.Tensor], torch.Tensor]) -> Runner:
    """Runs what takes and gives tensors."""

    def run(images: Images) -> Output:
        with torch.inference_mode():
            output: Output = model(torch.from_numpy(images)).numpy()
        return output

    return run


def _onnx(path: Path, threads: int) -> Runner:
    import onnxruntime  # noqa: PLC0415 - only where there is such a file

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Images) -> Output:
        output: Output = session.run(None, {name: images})[0]
        return output

    return run


def _torchscript(path: Path, threads: int) -> Runner:
    del threads  # torch's own number holds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and asked for all the same
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return in_pytorch(module.eval())


_RUNNERS: dict[ExportFormat, Callable[[Path, int], Runner]] = {
    ExportFormat.ONNX: _onnx,
    ExportFormat.IMX500: _onnx,
    ExportFormat.TORCHSCRIPT: _torchscript,
    ExportFormat.TENSORRT: lambda path, _threads: tensorrt.runner(path),
}
