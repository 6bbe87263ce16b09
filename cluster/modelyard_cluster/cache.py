"""Where things that outlive a cluster are kept, and when one of them must be made again."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEFAULT_STATE = Path("/var/lib/modelyard")
REPOSITORY = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """The one folder that `make demo-clean` leaves behind: $MODELYARD_CACHE, by default /var/cache/modelyard."""
    folder = Path(os.environ.get("MODELYARD_CACHE", "/var/cache/modelyard"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state_folder() -> Path:
    """What lives only as long as the clusters do: $MODELYARD_STATE, by default /var/lib/modelyard."""
    folder = Path(os.environ.get("MODELYARD_STATE", DEFAULT_STATE))
    folder.mkdir(parents=True, exist_ok=True)
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
