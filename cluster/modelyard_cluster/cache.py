"""Where things that outlive a cluster are kept, and when one of them must be made again."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .shell import CommandFailed

DEFAULT_CACHE = Path("/var/cache/modelyard")
DEFAULT_STATE = Path("/var/lib/modelyard")
REPOSITORY = Path(__file__).resolve().parents[2]
MARKER = ".modelyard"
"""Lies in a folder that we were given, and that held nothing else then."""
IN_CACHE = frozenset(
    {"bin", "sources", "go", "docker", "debian", "logs", "mypy", "stamps", "uv", "uv-tool", "tools.lock"}
)
"""What we put into the cache, beside folders named scratch-*; some of it before this package is there to be asked."""


def cache_folder() -> Path:
    """The one folder that `make demo-clean` leaves behind: $MODELYARD_CACHE, by default /var/cache/modelyard."""
    return _own("MODELYARD_CACHE", DEFAULT_CACHE, IN_CACHE)


def state_folder() -> Path:
    """What lives only as long as the clusters do: $MODELYARD_STATE, by default /var/lib/modelyard."""
    return _own("MODELYARD_STATE", DEFAULT_STATE, frozenset())


def _own(variable: str, default: Path, known: frozenset[str]) -> Path:
    """The folder that `variable` names, which is ours alone: cleaning up removes all or much of what is in it.

    Raises:
        CommandFailed: files of others are in it, such as in a home folder.
    """
    folder = Path(os.environ.get(variable, default))
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    if folder == default or marker.exists():
        return folder
    if others := sorted(entry.name for entry in folder.iterdir() if entry.name not in known):
        raise CommandFailed(
            f"{variable}: {folder} holds what is not Modelyard's, such as {others[0]}; "
            "a folder that is empty or not there yet would be right, since it is removed again."
        )
    marker.touch()
    return folder


def binary_folder() -> Path:
    """Where the programs built from Go modules lie."""
    return cache_folder() / "bin"


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """One process at a time between here and the end; the kernel frees `file` should this one be killed."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(sources: Iterable[Path], *facts: str) -> str:
    """SHA-256 over the contents of `sources` (files, or folders taken whole) and over `facts`.

    Two equal fingerprints mean that whatever is built from these is up to date.
    """
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(fact.encode() + b"\0")
    for source in sources:
        files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            digest.update(str(file.relative_to(source.parent)).encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
