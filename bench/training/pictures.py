"""Pictures as a data set of torch, as people write it on the first day."""

from __future__ import annotations

from collections.abc import Callable

from modelyard_trainer.dataset.model import Picture
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures from their files, each with its class.

    Args:
        pictures: checked ones.
        transform: makes a tensor of one.
    """

    def __init__(self, pictures: tuple[Picture, ...], transform: Callable[[Image.Image], Tensor]) -> None:
        self._pictures, self._transform = pictures, transform

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = self._pictures[index]
        with Image.open(picture.path) as image:
            tensor = self._transform(image.convert("RGB"))
        return tensor, int(picture.objects.classes[0])
