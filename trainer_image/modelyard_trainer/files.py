"""Files that are whole or not there, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from modelyard_api.layout import CHECKSUMS

CHUNK = 1 << 20
_DIGEST_LENGTH = 64


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(paths: Iterable[Path], threads: int) -> list[str]:
    """The SHA-256 of many files, in their order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(sha256, paths))


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that the file holds either its old bytes or all of the new ones, whenever the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def link_or_copy(path: Path, target: Path) -> None:
    """Make `target` another name of a file that nobody writes into, or a copy where the file system has no such names.

    Whoever reads it meanwhile reads its old bytes or all of the new ones.
    """
    unfinished = target.with_name(f".{target.name}.part")
    unfinished.unlink(missing_ok=True)
    try:
        try:
            os.link(path, unfinished)
        except OSError:
            shutil.copyfile(path, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)  # also where both were names of one file already: then nothing is replaced


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, however deep, in the order of their names.

    Hidden ones are left out, and the lost+found that a file system has at its root. Where there is no such folder,
    there are none.

    Raises:
        PermissionError: a folder cannot be read; what lies in it is never left out in silence.
    """
    paths: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_refuse_all_but_no_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(root) == folder and "lost+found" in folders:
            folders.remove("lost+found")
        paths += [Path(root, name) for name in names if not name.startswith(".")]
    yield from (path for path in sorted(paths) if path.is_file())


def digests_below(folder: Path, threads: int) -> dict[str, str]:
    """The SHA-256 of each of these files, by its path there; of all but the folder's own SHA256SUMS."""
    paths = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    paths.pop(CHECKSUMS, None)
    return dict(zip(paths, sha256_of_all(paths.values(), threads), strict=True))


def _refuse_all_but_no_folder(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def format_checksums(digests: Mapping[str, str]) -> str:
    """The text of a SHA256SUMS file: `<digest>  <path>` a line, sorted by path, as sha256sum(1) checks it."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))


def parse_checksums(text: str) -> dict[str, str]:
    """Path to digest, as a SHA256SUMS file says.

    Raises:
        ValueError: a line is not `<digest>  <path>`, or its path leads out of the folder; the message names the line.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        digest, _, path = line.partition(" ")
        path = path[1:] if path[:1] in (" ", "*") else path
        if len(digest) != _DIGEST_LENGTH or not set(digest.lower()) <= set("0123456789abcdef") or not path:
            raise ValueError(f"{CHECKSUMS}, line {number}: not a SHA-256 in hexadecimal, two spaces and a path")
        path = path.removeprefix("./")
        if not is_below(path):
            raise ValueError(f"{CHECKSUMS}, line {number}: {path!r} leads out of the data set's folder")
        digests[path] = digest.lower()
    return digests


def is_below(path: str) -> bool:
    """Whether a relative path stays below the folder that it is relative to."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts
