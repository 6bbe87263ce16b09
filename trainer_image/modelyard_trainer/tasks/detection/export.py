"""A trained detector as what is exported. Imports torch and ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from ultralytics.data.augment import LetterBox
from ultralytics.nn.modules import C2f, Detect
from ultralytics.utils.patches import imread

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.exports.picking import MOST_JUDGED, strided
from modelyard_trainer.exports.subject import Images, Output, Runner, Subject, labels_of
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.detection.evaluate import examine

_RECTANGLES = 4


class TrainedDetector(Subject):
    """The published best.pt: from pictures between 0 and 1 to (batch, 4 + classes, anchors).

    Boxes are centre x, centre y, width, height in pixels of the input; scores are between 0 and 1. Names are
    ultralytics' own, so that what reads its exports reads ours.
    """

    output = "output0"
    metric = "mAP50"

    def __init__(self, context: TaskContext, data: CheckedDataset) -> None:
        self._checkpoint = Checkpoint.load(context.results / BEST)
        side = self._checkpoint.image_size
        super().__init__(self._checkpoint.weights, (side, side))
        self._context = context
        self._pictures = strided(data.validation, MOST_JUDGED)
        self.judged = len(self._pictures)

    def network(self, weights: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        """The detector as it was trained, without what it gives beside its predictions."""
        model = build_model(replace(self._checkpoint, weights=weights))
        return lambda images: model(images)[0]

    def traceable(self, *, dynamic: bool) -> Any:
        """The detector with batch normalisation folded in, its anchors remembered, and one output."""
        model = build_model(self._checkpoint).fuse(verbose=False)
        for parameter in model.parameters():
            parameter.requires_grad = False
        for module in model.modules():
            if isinstance(module, Detect):
                module.dynamic, module.export, module.format, module.shape = dynamic, True, "onnx", None
            elif isinstance(module, C2f):
                module.forward = module.forward_split  # chunk() traces into a less tidy graph
        model(self.example)
        return model

    @property
    def axes(self) -> Mapping[str, Mapping[int, str]]:
        """Pictures of any size that the strides divide."""
        return {self.input: {0: "batch", 2: "height", 3: "width"}, self.output: {0: "batch", 2: "anchors"}}

    @cached_property
    def _head(self) -> str:
        """How names of nodes begin that belong to the detection head, the last of the layers."""
        return f"/model.{len(build_model(self._checkpoint).model) - 1}/"

    def stays_float(self, node: str) -> bool:
        """What makes boxes and scores of the head's convolutions.

        Boxes are hundreds of pixels and scores below one in the same tensor: with one scale for both, scores would be
        rounded to 0, and fp16 has no pixel fractions left at the far end of a large picture.
        """
        _, found, within = node.partition(self._head)
        return bool(found) and not within.startswith(("cv", "one2one_cv"))

    def image(self, picture: Picture) -> Images:
        """A picture scaled and padded with grey."""
        return _boxed(picture, *self.size)

    def inputs(self, pictures: Sequence[Picture], *, dynamic: bool) -> Iterator[Images]:
        """Also rectangles where sizes are open."""
        yield from super().inputs(pictures, dynamic=dynamic)
        if dynamic:
            height, width = self.size
            half = max(32, height // 2 // 32 * 32)
            yield np.stack([_boxed(picture, half, width) for picture in pictures[:_RECTANGLES]])

    def difference(self, one: Output, other: Output, images: Images) -> float:
        """Boxes, in pixels, are divided by the image's size, so that they weigh as scores do."""
        difference = np.abs(one - other)
        return float(max((difference[:, :4] / max(images.shape[2:])).max(), difference[:, 4:].max()))

    def judge(self, run: Runner) -> float:
        """mAP50 by ultralytics' own suppression and matching, on squares: a file with fixed sizes takes no others."""
        examiner = examine(
            self._context, self._pictures, self._checkpoint, _AsModel(run, self._checkpoint), "cpu", rect=False
        )
        return float(examiner.metrics.box.map50)

    def metadata(self, *, dynamic: bool) -> dict[str, str]:
        """What ultralytics and other runtimes look for in an exported file, and what ours says of every task."""
        checkpoint = self._checkpoint
        resize = "letterbox, padded with 114"
        return {
            **self.described(checkpoint, "detect", resize, interpolation="bilinear", normalisation="none"),
            "stride": str(int(max(build_model(checkpoint).stride))),
            "batch": "1",
            "imgsz": str(list(self.size)),
            "names": str(dict(enumerate(checkpoint.classes))),
            "channels": "3",
            "end2end": "False",
            "dynamic": str(dynamic),
            "labels": labels_of(checkpoint.classes),
        }


class _AsModel(torch.nn.Module):
    """A runner as the model that ultralytics' validator asks."""

    def __init__(self, run: Runner, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._run = run
        self.names = dict(enumerate(checkpoint.classes))
        self.stride = build_model(checkpoint).stride

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self._run(images.numpy()))


def _boxed(picture: Picture, height: int, width: int) -> Images:
    """A picture as the network sees it in use: scaled and padded with grey."""
    boxed = LetterBox(new_shape=(height, width))(image=imread(str(picture.path)))
    rgb: NDArray[np.uint8] = np.ascontiguousarray(boxed[..., ::-1].transpose(2, 0, 1))
    return rgb.astype(np.float32) / np.float32(255)
