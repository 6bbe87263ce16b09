"""Bringing a data set to this computer, every file checked against the data set's own SHA256SUMS."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from modelyard_api.layout import CHECKSUMS
from modelyard_api.outcome import Reason
from modelyard_api.run_document import DATASET_VOLUME_FOLDER
from modelyard_api.spec import Dataset

from modelyard_trainer.dataset.checksums import check_digest, read_checksums
from modelyard_trainer.dataset.images import SUFFIXES
from modelyard_trainer.dataset.model import FetchedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import digests_below
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.unreadable import refusing_unreadable

_READ = SUFFIXES | {".csv", ".txt", ".json", ".yaml", ".yml"}


def fetch(
    dataset: Dataset, places: Places, progress: Progress, cpus: int, done: dict[str, str] | None = None
) -> FetchedDataset:
    """The data set's files on this computer, downloaded if need be.

    Args:
        dataset: what the spec says.
        places: where files go, and credentials lie.
        progress: told how far it is.
        cpus: how many threads read a folder.
        done: takes down what was downloaded, so that a call after one that failed goes on from there.

    Raises:
        RunError: DatasetNotFound, DatasetChecksumMismatch, DatasetInvalid (a file that may not be read), or what the
            store says.
    """
    if dataset.path is not None:
        field = "spec.dataset.path"
        return _in_place(Path(dataset.path), cpus, field, f"{field}: {dataset.path} is not a folder on this computer")
    if dataset.volume is not None:
        field = "spec.dataset.volume"
        folder = places.volume(DATASET_VOLUME_FOLDER, dataset.volume, field)
        missing = f"{field}.path: claim {dataset.volume.claim_name} has no folder {dataset.volume.path}"
        return _in_place(folder, cpus, field, missing)
    if dataset.s3 is None:
        raise RunError(Reason.SPEC_INVALID, "spec.dataset: it names no place; s3, path or volume would be right")
    from modelyard_trainer.store.download import download_dataset  # noqa: PLC0415 - boto3, half a second
    from modelyard_trainer.store.open import open_store  # noqa: PLC0415

    store = open_store(dataset.s3, places.dataset_credentials, in_cluster=places.in_cluster, what="dataset")
    return download_dataset(store, places.scratch / "dataset", progress, {} if done is None else done)


def _in_place(folder: Path, cpus: int, field: str, missing: str) -> FetchedDataset:
    with refusing_unreadable(Reason.DATASET_INVALID, field):
        if not folder.is_dir():
            raise RunError(Reason.DATASET_NOT_FOUND, missing)
        return _read(folder, cpus, field)


def _read(folder: Path, cpus: int, field: str) -> FetchedDataset:
    digests = digests_below(folder, cpus)
    if not digests:
        raise RunError(Reason.DATASET_EMPTY, f"{field}: {folder} holds no files")
    sums = folder / CHECKSUMS
    if sums.is_file():
        wanted = read_checksums(sums.read_bytes())
        for name, digest in wanted.items():
            check_digest(name, digest, digests.get(name))
        _refuse_unlisted(wanted, digests, field)
        digests = wanted
    return FetchedDataset(folder, digests, str(folder))


def _refuse_unlisted(wanted: Collection[str], found: Iterable[str], field: str) -> None:
    """From S3 only what is listed is fetched: the same data set in a folder must not be a larger one."""
    unlisted = next((name for name in sorted(found) if name not in wanted and Path(name).suffix.lower() in _READ), None)
    if unlisted is not None:
        raise RunError(
            Reason.DATASET_CHECKSUM_MISMATCH,
            f"{field}: {unlisted} is not listed in {CHECKSUMS}; a new list (`modelyard dataset push` writes one), "
            "or the folder without that file, would be right",
        )
