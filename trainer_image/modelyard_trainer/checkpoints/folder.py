"""Checkpoints in a folder of this computer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from modelyard_trainer.checkpoints.shelf import Count
from modelyard_trainer.files import CHUNK, files_below, sha256, write_atomically

CHECKPOINTS_FOLDER = ".checkpoints"
"""Below the folder that results go to, and removed when they are there."""


class FolderShelf:
    """See `modelyard_trainer.checkpoints.shelf.Shelf` for the methods.

    Args:
        results: the folder that results go to.
        run: UID of the run; others' checkpoints are not looked at.
    """

    def __init__(self, results: Path, run: str) -> None:
        self._all = results / CHECKPOINTS_FOLDER
        self._root = self._all / run

    def uri(self, key: str) -> str:
        """A `file:` address."""
        return (self._root / key).absolute().as_uri()

    def keys(self) -> list[str]:
        """Paths below the run's folder; what is half written begins with a dot and is no file yet."""
        return [path.relative_to(self._root).as_posix() for path in files_below(self._root)]

    def read(self, key: str) -> bytes | None:
        """The file's bytes."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None

    def download(self, key: str, path: Path) -> str | None:
        """Copy it, and read the copy."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self._root / key, path)
        except FileNotFoundError:
            return None
        return sha256(path)

    def upload(self, path: Path, key: str, count: Count) -> None:
        """Copy it beside its place, and rename it there once it is on the disk."""
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.part")
        try:
            with path.open("rb") as source, unfinished.open("wb") as copy:
                while chunk := source.read(CHUNK):
                    copy.write(chunk)
                    count(len(chunk))
                copy.flush()
                os.fsync(copy.fileno())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def write(self, key: str, content: bytes) -> None:
        """Write it atomically."""
        write_atomically(self._root / key, content)

    def delete(self, key: str) -> None:
        """Unlink it."""
        (self._root / key).unlink(missing_ok=True)

    def tidy(self, below: str = "", besides: str = "") -> None:
        """Unlink what is half written."""
        for path in (self._root / below).rglob(".*.part"):
            if not besides or not path.is_relative_to(self._root / besides):
                path.unlink(missing_ok=True)

    def is_claimed_by_another(self, pod_uid: str) -> bool:  # noqa: ARG002 - the protocol's
        """Who runs on a computer of one's own sees to that."""
        return False

    def renew(self) -> None:
        """There are no credentials."""

    def clear(self) -> None:
        """Remove this run's checkpoints, and any other's that were left in the same place."""
        shutil.rmtree(self._all, ignore_errors=True)
