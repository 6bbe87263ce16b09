"""What is exported: a trained network as its task presents it. Imports torch."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from modelyard_trainer.dataset.model import Picture

Images = NDArray[np.float32]
"""(batch, 3, height, width), RGB, 0 to 1; a single picture without the batch."""
Output = NDArray[np.float32]
Runner = Callable[[Images], Output]
"""Runs a network, in whichever file it is."""
_BATCH = 4
"""Pictures that a file whose batch size is open is tried with."""


class Trained(Protocol):
    """What the published weights of every task say of themselves."""

    @property
    def architecture(self) -> str:
        """Its name."""

    @property
    def epoch(self) -> int:
        """That they are of."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """After that epoch."""


class Subject(ABC):
    """A trained network, how its inputs are made and what its outputs are worth.

    Exporting, comparing and judging know no more of a task than this. What is abstract each task says; the rest is
    right for a network from pictures of one size to one vector for each.

    Args:
        weights: that are published.
        size: height and width of the pictures that the network takes, in pixels.
    """

    input: str = "images"
    output: str
    """Name of the one output, whose first dimension is the batch."""
    metric: str
    """Name of what `judge` measures, as in the evaluation."""
    judged: int
    """How many pictures `judge` looks at: at most `picking.MOST_JUDGED`."""

    def __init__(self, weights: Mapping[str, torch.Tensor], size: tuple[int, int]) -> None:
        self.weights, self.size = weights, size

    @abstractmethod
    def network(self, weights: Mapping[str, torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        """The network with these weights, in evaluation mode on the CPU: what all files are held against."""

    @abstractmethod
    def image(self, picture: Picture) -> Images:
        """A picture as the network sees it in use: (3, *size)."""

    @abstractmethod
    def metadata(self, *, dynamic: bool) -> Mapping[str, str]:
        """What stands in a file: task, labels, preprocessing, metric. Where it comes from is added to that."""

    @abstractmethod
    def judge(self, run: Runner) -> float:
        """The metric, higher being better, that a runner reaches on the validation pictures.

        It is asked of PyTorch and of every file, so that what they see and how it is counted must be the same. Batches
        may be of any size: a runner whose file takes one picture alone takes them one by one.
        """

    def described(self, trained: Trained, task: str, resize: str, **preprocessing: object) -> dict[str, str]:
        """What stands in the files of every task: what it is, what its input must be, and what it is worth.

        Args:
            trained: the published weights.
            task: as those who read the file call it.
            resize: how a picture comes to its size.
            preprocessing: what else is to be said of the input, or otherwise.
        """
        said = {
            "color": "RGB",
            "layout": "NCHW",
            "range": [0, 1],
            "size": list(self.size),
            "resize": resize,
            "interpolation": "bilinear, antialiased",
            "normalisation": "in the network",
            **preprocessing,
        }
        return {
            "description": f"{trained.architecture}, epoch {trained.epoch}",
            "task": task,
            "preprocessing": json.dumps(said),
            "metric": json.dumps({"name": self.metric, "value": trained.metrics.get(self.metric), "of": "validation"}),
        }

    def traceable(self, *, dynamic: bool) -> Any:
        """The module that is traced for ONNX and TorchScript; `dynamic` where sizes stay open."""
        del dynamic
        return self.network(self.weights)

    @property
    def example(self) -> torch.Tensor:
        """An input to trace with."""
        return torch.zeros(1, 3, *self.size)

    @property
    def axes(self) -> Mapping[str, Mapping[int, str]]:
        """What may change its size where sizes stay open, by input or output: dimension to name."""
        return {self.input: {0: "batch"}, self.output: {0: "batch"}}

    def stays_float(self, node: str) -> bool:
        """Whether an ONNX node of this name computes what fp16 and int8 are too coarse for."""
        del node
        return False

    def inputs(self, pictures: Sequence[Picture], *, dynamic: bool) -> Iterator[Images]:
        """What a file is compared with PyTorch on: single pictures, or batches where sizes stay open."""
        images = [self.image(picture) for picture in pictures]
        size = _BATCH if dynamic else 1
        return (np.stack(images[start : start + size]) for start in range(0, len(images), size))

    def difference(self, one: Output, other: Output, images: Images) -> float:
        """Largest absolute difference of two outputs of the same shape, all numbers, for these inputs."""
        del images
        return float(np.abs(one - other).max())


def labels_of(classes: Sequence[str]) -> str:
    """What outputs mean, as JSON: number to name."""
    return json.dumps({str(number): name for number, name in enumerate(classes)})
