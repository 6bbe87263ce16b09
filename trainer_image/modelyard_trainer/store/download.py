"""A data set from S3."""

from __future__ import annotations

from pathlib import Path

from modelyard_api.layout import CHECKSUMS
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.checksums import check_digest, read_checksums
from modelyard_trainer.dataset.model import FetchedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import is_below
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.s3 import S3Store, Stored
from modelyard_trainer.store.transfer import Counter, in_parallel


def download_dataset(store: S3Store, folder: Path, progress: Progress, done: dict[str, str]) -> FetchedDataset:
    """Download every object below the store's prefix into `folder`.

    Where the data set has a SHA256SUMS, that is the list of its files, and each is compared with it.

    Args:
        store: where it lies.
        folder: where it goes.
        progress: told how far it is.
        done: path to digest of the files that an earlier call brought; what this one brings is added.

    Raises:
        RunError: DatasetNotFound, DatasetChecksumMismatch, or what the store says.
    """
    there = {each.key: each for each in store.list() if not each.key.endswith("/") and is_below(each.key)}
    if not there:
        raise RunError(
            Reason.DATASET_NOT_FOUND, f"spec.dataset.s3.uri: there is nothing below {store.uri()}/ in the store"
        )
    wanted = _checksums(store, there)
    for name, digest in wanted.items():
        check_digest(name, digest, digest if name in there else None)
    names = list(wanted) or sorted(there)
    counter = Counter(sum(there[name].size for name in names if name not in done), progress.detail)

    def bring(name: str) -> None:
        digest = store.download(name, folder / name, counter.add)
        if digest is None:
            raise RunError(Reason.DATASET_NOT_FOUND, f"{store.uri(name)} was removed while it was being fetched")
        if name in wanted:
            check_digest(name, wanted[name], digest)
        done[name] = digest

    in_parallel(bring, [name for name in names if name not in done], counter)
    return FetchedDataset(folder, {name: done[name] for name in names}, store.uri())


def _checksums(store: S3Store, there: dict[str, Stored]) -> dict[str, str]:
    if CHECKSUMS not in there:
        return {}
    found = store.read(CHECKSUMS)
    return read_checksums(found[0]) if found else {}
