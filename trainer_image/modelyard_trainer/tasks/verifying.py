"""Whether exported files say the same as PyTorch, whatever the task. Imports torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from modelyard_api.spec import ExportFormat
from numpy.typing import NDArray

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.tasks.base import ExportedFile, TaskContext, Verified

_log = logging.getLogger("modelyard.training")

Images = NDArray[np.float32]
"""(batch, 3, height, width), RGB, 0 to 1."""
Runner = Callable[[Images], NDArray[np.float32]]
_PICTURES = 16
_BATCH = 4


def spread(pictures: Sequence[Picture]) -> Sequence[Picture]:
    """A few of the pictures, from the first to near the last."""
    return pictures[:: max(1, len(pictures) // _PICTURES)][:_PICTURES]


def verify_all(
    context: TaskContext,
    exports: Sequence[ExportedFile],
    *,
    inputs: Callable[[ExportedFile], Sequence[Images]],
    reference: Runner,
    difference: Callable[[NDArray[np.float32], NDArray[np.float32], Images], float],
    pictures: int,
) -> tuple[Verified, ...]:
    """Run each file and the reference on the same inputs, and compare the raw outputs.

    Args:
        context: all that the task is given.
        exports: the files.
        inputs: what a file is tried with.
        reference: the network in PyTorch.
        difference: of a file's output from the reference's, for these inputs.
        pictures: how many pictures the inputs are made of.
    """
    verified = []
    for file in exports:
        context.progress.detail(file.path.name)
        tried = inputs(file)
        run = _RUNNERS[file.format](file.path, context.cpus)
        largest = max(difference(run(images), reference(images), images) for images in tried)
        shapes = tuple(dict.fromkeys("x".join(map(str, images.shape)) for images in tried))
        _log.info("%s differs from PyTorch by at most %.3g (allowed: %g)", file.path.name, largest, file.tolerance)
        verified.append(Verified(file, largest, pictures, shapes))
    return tuple(verified)


def in_batches(images: Images, file: ExportedFile) -> list[Images]:
    """The images in batches of the size that a file takes: a few where it is open, else one."""
    size = _BATCH if file.details.get("dynamic") else 1
    return [images[start : start + size] for start in range(0, len(images), size)]


def in_pytorch(model: Callable[[torch.Tensor], torch.Tensor]) -> Runner:
    """Runs what takes and gives tensors."""

    def run(images: Images) -> NDArray[np.float32]:
        with torch.inference_mode():
            output: NDArray[np.float32] = model(torch.from_numpy(images)).numpy()
        return output

    return run


def _onnx(path: Path, threads: int) -> Runner:
    import onnxruntime  # noqa: PLC0415 - only where there is such a file

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Images) -> NDArray[np.float32]:
        output: NDArray[np.float32] = session.run(None, {name: images})[0]
        return output

    return run


def _torchscript(path: Path, threads: int) -> Runner:
    del threads  # torch's own number holds
    module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]

    def run(images: Images) -> NDArray[np.float32]:
        with torch.inference_mode():
            output: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
        return output

    return run


_RUNNERS: dict[ExportFormat, Callable[[Path, int], Runner]] = {
    ExportFormat.ONNX: _onnx,
    ExportFormat.TORCHSCRIPT: _torchscript,
}
