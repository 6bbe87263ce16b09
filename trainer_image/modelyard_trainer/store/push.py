"""A data set from a folder to S3, as one version with its own checksums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.layout import CHECKSUMS
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.checksums import check_digest, read_checksums
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import digests_below, files_below, format_checksums
from modelyard_trainer.store.s3 import S3Store
from modelyard_trainer.store.transfer import Counter, in_parallel
from modelyard_trainer.unreadable import refusing_unreadable


@dataclass(frozen=True)
class Pushed:
    """A data set that now lies in the store."""

    uri: str
    files: int
    size: int


def push_dataset(store: S3Store, folder: Path, tell: Callable[[str], None], threads: int) -> Pushed:
    """Upload every file of `folder`, SHA256SUMS last: until that is there, nobody takes the data set for complete.

    A SHA256SUMS in the folder is checked first; without one it is made.

    Raises:
        RunError: DatasetEmpty; DatasetChecksumMismatch; DatasetInvalid, since something is at that place already and a
            version never changes, or a file may not be read; or what the store says.
    """
    with refusing_unreadable(Reason.DATASET_INVALID, str(folder)):
        wanted = _checked(folder, threads)
    if store.read(CHECKSUMS) is not None:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{store.uri(CHECKSUMS)} is there already; a new version under another prefix would be right",
        )
    sizes = {name: (folder / name).stat().st_size for name in wanted}
    counter = Counter(sum(sizes.values()), tell)
    in_parallel(lambda name: store.upload(folder / name, name, counter.add), list(wanted), counter)
    store.write(CHECKSUMS, format_checksums(wanted).encode())
    return Pushed(store.uri(), len(wanted), sum(sizes.values()))


def _checked(folder: Path, threads: int) -> Mapping[str, str]:
    """Path to digest of every file that is to be uploaded."""
    _refuse_line_breaks(folder)
    found = digests_below(folder, threads)
    if not found:
        raise RunError(Reason.DATASET_EMPTY, f"{folder} holds no files")
    sums = folder / CHECKSUMS
    wanted = read_checksums(sums.read_bytes()) if sums.is_file() else found
    for name, digest in wanted.items():
        check_digest(name, digest, found.get(name))
    return wanted


def _refuse_line_breaks(folder: Path) -> None:
    """A name with one would make SHA256SUMS unreadable, and a version is never written again."""
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        if name.splitlines() != [name]:
            raise RunError(
                Reason.DATASET_INVALID, f"the file name {name!r} holds a line break; a name on one line would be right"
            )
