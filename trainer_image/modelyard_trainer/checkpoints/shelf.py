"""Where checkpoints lie, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Count = Callable[[int], None]
"""Told of bytes as they go; an error that it raises ends the transfer."""


class Shelf(Protocol):
    """The files of all attempts of one run, by keys such as `<pod UID>/checkpoints/e0012-s000034.pt`.

    Every method may raise `RunError`, or `OSError` where it is a folder.
    """

    def uri(self, key: str) -> str:
        """Where a file lies, for people."""

    def keys(self) -> list[str]:
        """Every file of every attempt's checkpoints."""

    def read(self, key: str) -> bytes | None:
        """A small file; None where there is none."""

    def download(self, key: str, path: Path) -> str | None:
        """Copy a file to `path`; returns the SHA-256 of its bytes, or None where there is no such file."""

    def upload(self, path: Path, key: str, count: Count) -> None:
        """Keep a file, whole or not at all."""

    def write(self, key: str, content: bytes) -> None:
        """Keep a small file, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove a file, if there is one."""

    def tidy(self, below: str = "", besides: str = "") -> None:
        """Remove what uploads that broke off left below the key `below`, but for those below `besides`."""

    def is_claimed_by_another(self, pod_uid: str) -> bool:
        """Whether another pod is at work on the run by now."""

    def renew(self) -> None:
        """Read credentials again that may have expired; never raises."""

    def clear(self) -> None:
        """Remove everything."""
