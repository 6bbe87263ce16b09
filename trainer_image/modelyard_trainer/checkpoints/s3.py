"""Checkpoints in S3."""

from __future__ import annotations

from pathlib import Path

from modelyard_api.layout import CLAIM

from modelyard_trainer.checkpoints.shelf import Count
from modelyard_trainer.store.destination import claimant
from modelyard_trainer.store.s3 import S3Store


class S3Shelf:
    """See `modelyard_trainer.checkpoints.shelf.Shelf` for the methods.

    Args:
        store: where results go.
        root: key of the run's folder, below which each pod has its own.
    """

    def __init__(self, store: S3Store, root: str) -> None:
        self._store, self._root = store, root

    def uri(self, key: str) -> str:
        """`s3://bucket/prefix/key`."""
        return self._store.uri(self._key(key))

    def keys(self) -> list[str]:
        """Whatever lies in a folder of a pod's checkpoints."""
        below = f"{self._root}/"
        found = (each.key.removeprefix(below) for each in self._store.list(below))
        return [key for key in found if key.split("/")[1:2] == ["checkpoints"] and not key.endswith("/")]

    def read(self, key: str) -> bytes | None:
        """The object's bytes."""
        found = self._store.read(self._key(key))
        return found[0] if found else None

    def download(self, key: str, path: Path) -> str | None:
        """Download it; the digest is taken on the way."""
        return self._store.download(self._key(key), path, lambda _bytes: None)

    def upload(self, path: Path, key: str, count: Count) -> None:
        """Upload it, in parts where it is large."""
        self._store.upload(path, self._key(key), count)

    def write(self, key: str, content: bytes) -> None:
        """Write it in one request."""
        self._store.write(self._key(key), content)

    def delete(self, key: str) -> None:
        """Remove it."""
        self._store.delete(self._key(key))

    def tidy(self, below: str = "", besides: str = "") -> None:
        """Abort multipart uploads that were never completed."""
        folder = f"{below}/" if below else ""
        self._store.abort_uploads(self._key(folder), self._key(f"{besides}/") if besides else None)

    def is_claimed_by_another(self, pod_uid: str) -> bool:
        """Read the claim, which every pod writes before it begins."""
        found = self._store.read(self._key(CLAIM))
        return found is not None and claimant(found[0]) not in (None, pod_uid)

    def renew(self) -> None:
        """Read the Secret's files again."""
        self._store.renew()

    def clear(self) -> None:
        """Remove them one by one, the manifests first."""
        for key in sorted(self.keys(), key=lambda key: not key.endswith(".json")):
            self.delete(key)

    def _key(self, key: str) -> str:
        return f"{self._root}/{key}"
