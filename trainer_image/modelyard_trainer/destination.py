"""Where results go: S3, or a folder of this computer."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modelyard_api.layout import CHECKSUMS
from modelyard_api.outcome import Reason
from modelyard_api.status import Artifact

from modelyard_trainer.checkpoints.folder import CHECKPOINTS_FOLDER
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import digests_below, format_checksums, sha256, write_atomically
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.progress import Progress

_MOST_ARTIFACTS = 64
_THREADS = 4


@dataclass(frozen=True)
class Published:
    """What was published, and where."""

    artifacts: tuple[Artifact, ...]
    uri: str
    checksums_sha256: str
    """SHA-256 of SHA256SUMS itself."""


@dataclass(frozen=True)
class Manifest:
    """The files of a folder, with their checksums."""

    folder: Path
    digests: dict[str, str]
    """Path below the folder to SHA-256."""

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Read every file below `folder`."""
        return cls(folder, digests_below(folder, _THREADS))

    @property
    def text(self) -> str:
        """What SHA256SUMS holds."""
        return format_checksums(self.digests)

    def published(self, uri: str) -> Published:
        """This set once it lies at `uri`."""
        artifacts = tuple(
            Artifact(name=name, uri=f"{uri}/{name}", sha256=digest, bytes=(self.folder / name).stat().st_size)
            for name, digest in sorted(self.digests.items())
        )
        return Published(artifacts[:_MOST_ARTIFACTS], uri, hashlib.sha256(self.text.encode()).hexdigest())


class Destination(Protocol):
    """A place that results can be published to."""

    notices: tuple[str, ...]
    """What people should know of the place."""

    def prepare(self) -> None:
        """Find out now, not after hours of training, whether anything can be written.

        Raises:
            RunError: it cannot.
        """

    def publish(self, folder: Path, progress: Progress, interruption: Interruption) -> Published:
        """Publish every file of `folder`, SHA256SUMS last, and settle the interruption: what is published is done."""


@dataclass
class FolderDestination:
    """A folder of this computer, which must be empty, but for checkpoints, or not there yet."""

    folder: Path
    notices: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Make the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                Reason.SPEC_INVALID, f"spec.artifacts.path: {self.folder} cannot be made ({error})"
            ) from error
        if any(path.name != CHECKPOINTS_FOLDER for path in self.folder.iterdir()):
            raise RunError(
                Reason.SPEC_INVALID, f"spec.artifacts.path: {self.folder} is not empty; a folder that is would be right"
            )

    def publish(self, folder: Path, progress: Progress, interruption: Interruption) -> Published:
        """Copy the files, then write SHA256SUMS."""
        manifest = Manifest.of(folder)
        try:
            for name, digest in manifest.digests.items():
                progress.detail(name)
                self._copy(folder / name, self.folder / name, digest)
            with interruption.deferred():
                write_atomically(self.folder / CHECKSUMS, manifest.text.encode())
                interruption.settle()
        except BaseException:
            # The next attempt wants to find the folder empty.
            self._remove(manifest)
            raise
        return manifest.published(self.folder.resolve().as_uri())

    def _copy(self, source: Path, target: Path, digest: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if sha256(target) != digest:
            raise RunError(Reason.INTERNAL_ERROR, f"{target} does not hold what was written to it")

    def _remove(self, manifest: Manifest) -> None:
        for name in manifest.digests:
            target = self.folder / name
            target.unlink(missing_ok=True)
            for parent in list(target.relative_to(self.folder).parents)[:-1]:
                with contextlib.suppress(OSError):  # it holds something yet, or is gone
                    (self.folder / parent).rmdir()
