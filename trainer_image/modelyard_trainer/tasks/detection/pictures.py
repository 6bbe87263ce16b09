"""Checked pictures as an ultralytics data set. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics.data.dataset import YOLODataset

from modelyard_trainer.dataset.model import Picture


class CheckedPictures(YOLODataset):  # type: ignore[misc]
    """ultralytics' data set over pictures that were checked already.

    It reads no label files and scans nothing: the labels are those that the check produced, object for object. So
    nothing is dropped, repaired or cached beside the user's data.

    Args:
        pictures: with their objects.
        filled: whether a cache on the disk is full already. ultralytics would ask for the room that it takes once more.
        options: ultralytics' own.
    """

    def __init__(self, pictures: Sequence[Picture], *, filled: bool = False, **options: Any) -> None:
        self._pictures, self._filled = pictures, filled
        super().__init__(img_path="", **options)

    def get_img_files(self, img_path: object) -> list[str]:  # noqa: ARG002 - the signature is ultralytics'
        """Paths of the pictures."""
        return [str(picture.path) for picture in self._pictures]

    def check_cache_disk(self, safety_margin: float = 0.1) -> bool:
        """Whether the disk has room for the cache."""
        return self._filled or bool(super().check_cache_disk(safety_margin))

    def get_labels(self) -> list[dict[str, Any]]:
        """Labels in ultralytics' form, in the order of the pictures."""
        return [
            {
                "im_file": str(picture.path),
                "shape": (picture.height, picture.width),
                "cls": picture.objects.classes.astype(np.float32)[:, None],
                "bboxes": picture.objects.boxes.copy(),
                "segments": [polygon.copy() for polygon in picture.objects.polygons],
                "keypoints": None,
                "normalized": True,
                "bbox_format": "xywh",
            }
            for picture in self._pictures
        ]


def linked(pictures: Sequence[Picture], folder: Path) -> list[Picture]:
    """The same pictures under names in `folder`: ultralytics writes its disk cache beside the files it is given."""
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for picture in pictures:
        link = folder / f"{hashlib.sha256(picture.name.encode()).hexdigest()[:32]}{picture.path.suffix}"
        with suppress(FileExistsError):  # other ranks link the same pictures at the same time
            link.symlink_to(picture.path.resolve())
        links.append(Picture(picture.name, link, picture.width, picture.height, picture.objects))
    return links


def picture_options(arguments: Any, classes: Sequence[str], *, training: bool, batch: int, stride: int) -> Any:
    """The options that ultralytics' own `build_yolo_dataset` would give for these arguments."""
    hyper = copy(arguments)
    hyper.deterministic = False  # it warns of its own order where pictures are cached in memory; the order is ours
    return {
        "imgsz": arguments.imgsz,
        "batch_size": batch,
        "augment": training,
        "hyp": hyper,
        "rect": arguments.rect or not training,
        "cache": arguments.cache or None,
        "single_cls": arguments.single_cls,
        "stride": stride,
        "pad": 0.0 if training else 0.5,
        "task": "detect",
        "data": {"names": dict(enumerate(classes)), "nc": len(classes), "channels": 3},
    }
