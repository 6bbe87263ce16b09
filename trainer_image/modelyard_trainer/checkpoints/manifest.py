"""The small file that makes a checkpoint: written last, it names every other one with its digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from modelyard_api.base import ApiModel
from modelyard_api.status import Checkpoint
from pydantic import ConfigDict, Field, StringConstraints

from modelyard_trainer.checkpoints.model import Position

_SUFFIX = ".json"
_LONGEST_URI = 1024
"""Characters that a report has room for; a bucket with the longest key needs more."""
_NAME = re.compile(r"e(?P<epochs>\d{4,})-s(?P<step>\d{6,})(?:-\d+)?\.json")
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=255)]
"""A name without a folder, whoever wrote it."""


class _Readable(ApiModel):
    """A later version may say more."""

    model_config = ConfigDict(extra="ignore")


class StoredFile(_Readable):
    """A file beside the manifest."""

    name: FileName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    bytes: Annotated[int, Field(ge=0)]


class CheckpointManifest(_Readable):
    """What a checkpoint holds, and whose it is."""

    attempt: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=0)]
    step: Annotated[int, Field(ge=0)]
    taken_at: datetime
    batch_size: Annotated[int, Field(ge=1)]
    dataset: str | None = None
    """Digest of the data set that was trained on."""
    state: StoredFile
    files: dict[FileName, StoredFile]
    """Result files that belong to it, by the names that they have in the results folder."""

    @property
    def position(self) -> Position:
        """How far the training was."""
        return Position(self.epochs, self.step)

    @property
    def names(self) -> frozenset[str]:
        """Names of the files that it needs."""
        return frozenset({self.state.name, *(file.name for file in self.files.values())})


@dataclass(frozen=True)
class Found:
    """A checkpoint in the store: its manifest, and the folder of the pod that took it."""

    folder: str
    name: str
    manifest: CheckpointManifest

    @property
    def key(self) -> str:
        """Key of the manifest."""
        return f"{self.folder}/{self.name}"

    @property
    def rank(self) -> tuple[Position, int, datetime]:
        """What the newest has most of."""
        return self.manifest.position, self.manifest.attempt, self.manifest.taken_at

    def is_stale_beside(self, others: Iterable[Found]) -> bool:
        """Whether a later attempt had taken one when this one was taken: its pod had been given up, and nobody knew."""
        mine = self.manifest
        return any(
            other.manifest.attempt > mine.attempt and other.manifest.taken_at < mine.taken_at for other in others
        )

    def described(self, uri: str) -> Checkpoint:
        """This one as reports show it; a URI that is too long for them lacks its middle."""
        manifest = self.manifest
        if len(uri) > _LONGEST_URI:
            half = _LONGEST_URI // 2
            uri = f"{uri[: half - 1]}…{uri[-half:]}"
        return Checkpoint(epoch=manifest.epochs, step=manifest.step, uri=uri, taken_at=manifest.taken_at)


def stem_of(position: Position) -> str:
    """What the names of a checkpoint's own files begin with, such as `e0012-s000034`."""
    return f"e{position.epochs:04}-s{position.step:06}"


def manifest_name(stem: str) -> str:
    """The manifest's name."""
    return f"{stem}{_SUFFIX}"


def is_manifest(name: str) -> bool:
    """Whether a file of this name is a manifest."""
    return _NAME.fullmatch(name) is not None


def read_manifest(folder: str, name: str, content: bytes) -> Found:
    """The checkpoint whose manifest has this name and content.

    Raises:
        ValueError: it is none, or another's.
    """
    manifest = CheckpointManifest.model_validate_json(content)
    match = _NAME.fullmatch(name)
    if match is None or manifest.position != Position(int(match["epochs"]), int(match["step"])):
        raise ValueError(f"it speaks of {manifest.position}")
    return Found(folder, name, manifest)
