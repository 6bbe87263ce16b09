"""Whether an exported file says the same as PyTorch. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from modelyard_api.spec import ExportFormat
from numpy.typing import NDArray
from ultralytics.data.augment import LetterBox
from ultralytics.utils.patches import imread

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.detection.checkpoint import build_model, load_checkpoint

_log = logging.getLogger("modelyard.detection")
_PICTURES = 16
_BATCH = 4
"""Of a dynamic file's second input size."""

Images = NDArray[np.float32]
"""(batch, 3, height, width), RGB, 0 to 1."""
Runner = Callable[[Images], NDArray[np.float32]]


def verify(context: TaskContext, data: CheckedDataset, exports: Sequence[ExportedFile]) -> tuple[Verified, ...]:
    """Run each file and best.pt on the same validation pictures and compare the raw outputs.

    A file with open sizes is tried with a batch, and with rectangles too.
    """
    checkpoint = load_checkpoint(context.results / BEST)
    reference = _pytorch(build_model(checkpoint))
    pictures = data.validation[:: max(1, len(data.validation) // _PICTURES)][:_PICTURES]
    verified = []
    for file in exports:
        context.progress.detail(file.path.name)
        inputs = _inputs(pictures, checkpoint.image_size, dynamic=bool(file.details.get("dynamic")))
        run = _RUNNERS[file.format](file.path, context.cpus)
        difference = max(largest_difference(run(images), reference(images), max(images.shape[2:])) for images in inputs)
        shapes = tuple(dict.fromkeys("x".join(map(str, images.shape)) for images in inputs))
        _log.info("%s differs from PyTorch by at most %.3g (allowed: %g)", file.path.name, difference, file.tolerance)
        verified.append(Verified(file, difference, len(pictures), shapes))
    return tuple(verified)


def largest_difference(exported: NDArray[np.float32], reference: NDArray[np.float32], size: int) -> float:
    """Largest absolute difference of two outputs of (batch, 4 + classes, anchors).

    Boxes, in pixels, are divided by `size`, so that they weigh as scores do. Infinite where the shapes differ or one
    of them holds a value that is no number.
    """
    if exported.shape != reference.shape or not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        return float("inf")
    difference = np.abs(exported - reference)
    return float(max((difference[:, :4] / size).max(), difference[:, 4:].max()))


def _inputs(pictures: Sequence[Picture], size: int, *, dynamic: bool) -> list[Images]:
    square = [_image(picture, size, size) for picture in pictures]
    if not dynamic:
        return [image[None] for image in square]
    half = max(32, size // 2 // 32 * 32)
    batches = [np.stack(square[start : start + _BATCH]) for start in range(0, len(square), _BATCH)]
    return [*batches, np.stack([_image(picture, half, size) for picture in pictures[:_BATCH]])]


def _image(picture: Picture, height: int, width: int) -> Images:
    """A picture as the network sees it in use: scaled and padded with grey."""
    boxed = LetterBox(new_shape=(height, width))(image=imread(str(picture.path)))
    rgb: NDArray[np.uint8] = np.ascontiguousarray(boxed[..., ::-1].transpose(2, 0, 1))
    return rgb.astype(np.float32) / np.float32(255)


def _pytorch(model: Any) -> Runner:
    def run(images: Images) -> NDArray[np.float32]:
        with torch.inference_mode():
            output: NDArray[np.float32] = model(torch.from_numpy(images))[0].numpy()
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
