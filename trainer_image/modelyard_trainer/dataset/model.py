"""A data set that was checked and split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from modelyard_api.status import DatasetStatus
from numpy.typing import NDArray

from modelyard_trainer.files import format_checksums


@dataclass(frozen=True)
class FetchedDataset:
    """A data set's files on this computer.

    `digests` maps the path of each file (relative to `folder`) to the SHA-256 of the bytes that were read.
    """

    folder: Path
    digests: dict[str, str]
    origin: str
    """Where it came from, for messages: an S3 URI or a path."""

    @property
    def digest(self) -> str:
        """SHA-256 over the list of files and their checksums."""
        return hashlib.sha256(format_checksums(self.digests).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Objects:
    """The labelled objects of one picture, n of them.

    `classes`: (n,) class ids. `boxes`: (n, 4) centre x, centre y, width and height as fractions of the picture.
    `polygons`: their outlines, each (k, 2) with x and y as fractions, where the labels hold outlines; else empty.
    """

    classes: NDArray[np.int64]
    boxes: NDArray[np.float32]
    polygons: tuple[NDArray[np.float32], ...] = ()

    @classmethod
    def none(cls) -> Objects:
        """No objects: a picture of background."""
        return cls(np.zeros(0, np.int64), np.zeros((0, 4), np.float32))

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and what is in it. `name` is its path below the data set's folder, and tells it from all others.

    For classification it holds one object: its class, and the box that is looked at.
    """

    name: str
    path: Path
    width: int
    height: int
    objects: Objects
    angle: float | None = None
    """Degrees that the class was made of, where it is a bin of angles."""


@dataclass(frozen=True, eq=False)
class CheckedDataset:
    """A data set that can be trained on."""

    classes: tuple[str, ...]
    training: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    test: tuple[Picture, ...]
    digest: str
    """SHA-256 over the list of files and their checksums."""
    split_by_seed: bool
    """Whether the validation pictures were set aside by seed, not by the data set itself."""
    notices: tuple[str, ...] = ()
    """What a person should know but need not act upon."""
    held_out: tuple[Picture, ...] = ()
    """Of classes that training never sees."""
    held_out_classes: tuple[str, ...] = ()
    """What the class numbers of `held_out` mean."""

    @property
    def pictures(self) -> Iterable[Picture]:
        """All pictures."""
        return (*self.training, *self.validation, *self.test, *self.held_out)

    def status(self) -> DatasetStatus:
        """What the run's status says of it."""
        return DatasetStatus(
            images=sum(1 for _ in self.pictures),
            training_images=len(self.training),
            validation_images=len(self.validation),
            classes=len(self.classes),
            objects=sum(len(picture.objects) for picture in self.pictures),
            digest=self.digest,
        )
