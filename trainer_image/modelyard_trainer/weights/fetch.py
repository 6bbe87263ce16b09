"""Bringing the weights that a run starts from to this computer, with the digest that they must have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from modelyard_api.layout import CHECKSUMS
from modelyard_api.location import S3Location
from modelyard_api.model import From, Pretrained
from modelyard_api.outcome import Reason
from modelyard_api.run_document import WEIGHTS_VOLUME_FOLDER, RunDocument

from modelyard_trainer.errors import RunError
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.unreadable import refusing_unreadable
from modelyard_trainer.weights.model import FetchedWeights

if TYPE_CHECKING:
    from modelyard_trainer.store.s3 import S3Store

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".tar", ".ckpt")
"""Of files of weights. A URI that ends in none of them is a name that `modelyard weights push` gave."""
LATEST = "latest.json"
"""Object below such a name that tells its newest version."""


def fetch_weights(document: RunDocument, places: Places, progress: Progress) -> FetchedWeights | None:
    """The file that `spec.model` names; None where it names none.

    Raises:
        RunError: WeightsNotFound, WeightsInvalid, or what the store says.
    """
    model = document.spec.model
    if model.pretrained is not None:
        return _pretrained(model.pretrained, places, progress)
    if model.start is not None:
        return _published(model.start, document.source, places, progress)
    return None


def _pretrained(wanted: Pretrained, places: Places, progress: Progress) -> FetchedWeights:
    if wanted.path is not None:
        return _in_place(Path(wanted.path), wanted.sha256, "spec.model.pretrained.path")
    if wanted.volume is not None:
        field = "spec.model.pretrained.volume"
        return _in_place(places.volume(WEIGHTS_VOLUME_FOLDER, wanted.volume, field), wanted.sha256, field)
    if wanted.url is not None:
        from modelyard_trainer.weights.download import download  # noqa: PLC0415 - seldom

        path = places.scratch / "weights" / (PurePosixPath(wanted.url).name or "weights")
        found = download(wanted.url, path, progress)
        return _checked(FetchedWeights(path, wanted.url, found), wanted.sha256, "spec.model.pretrained.url")
    if wanted.s3 is None:
        raise RunError(
            Reason.SPEC_INVALID, "spec.model.pretrained: it names no place; s3, path, volume or url would be right"
        )
    uri = wanted.s3.uri.rstrip("/")
    what = "model.pretrained"
    if uri.lower().endswith(SUFFIXES):
        folder, _, name = uri.rpartition("/")
        store = _store(wanted.s3.model_copy(update={"uri": folder}), places, what)
        return _checked(_downloaded(store, name, places, progress, what), wanted.sha256, f"spec.{what}.s3")
    store = _store(wanted.s3, places, what)
    digest, name = _version(store, wanted.sha256, f"spec.{what}.s3.uri")
    return _checked(_downloaded(store, f"{digest}/{name}", places, progress, what), digest, f"spec.{what}.s3")


def _version(store: S3Store, digest: str | None, field: str) -> tuple[str, str]:
    """Digest and file name of the version of a pushed name: the one asked for, or the newest."""
    if digest is None:
        found = store.read(LATEST)
        if found is None:
            raise RunError(
                Reason.WEIGHTS_NOT_FOUND,
                f"{field}: there are no weights of that name at {store.uri()}/; `modelyard weights push` puts them "
                f"there, and the URI of one file ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
            )
        said = json.loads(found[0])
        return str(said["sha256"]), str(said["file"])
    names = [each.key.partition("/")[2] for each in store.list(f"{digest}/")]
    if not names:
        raise RunError(Reason.WEIGHTS_NOT_FOUND, f"{field}: {store.uri()}/ has no version with SHA-256 {digest}")
    return digest, names[0]


def _published(wanted: From, source: S3Location | None, places: Places, progress: Progress) -> FetchedWeights:
    """Weights of a published run, which its SHA256SUMS must name."""
    name, what = f"{wanted.weights.value}.pt", "model.from"
    if wanted.path is not None:
        return _in_folder(Path(wanted.path), name, f"spec.{what}.path")
    if wanted.volume is not None:
        field = f"spec.{what}.volume"
        return _in_folder(places.volume(WEIGHTS_VOLUME_FOLDER, wanted.volume, field), name, field)
    location = wanted.s3 or source
    if location is None:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.{what}.run: only a cluster knows where run {wanted.run} has published its results; s3 or path would "
            "be right",
        )
    store = _store(location, places, what)
    found = store.read(CHECKSUMS)
    digest = _listed(found[0] if found else None, name, f"{store.uri()}/", f"spec.{what}")
    return _checked(_downloaded(store, name, places, progress, what), digest, f"spec.{what}")


def _listed(sums: bytes | None, name: str, where: str, field: str) -> str:
    if sums is None:
        raise RunError(
            Reason.WEIGHTS_NOT_FOUND,
            f"{field}: {where} is not what a run has published: it has no {CHECKSUMS}; a run's status.artifactsUri "
            "would be right",
        )
    try:
        digests = parse_checksums(sums.decode("utf-8", errors="replace"))
    except ValueError as error:
        raise RunError(Reason.WEIGHTS_INVALID, f"{field}: {where}: {error}") from error
    if name not in digests:
        raise RunError(
            Reason.WEIGHTS_NOT_FOUND,
            f"{field}: {where} has no {name}, which runs that train or export publish; it has {', '.join(digests)}",
        )
    return digests[name]


def _in_folder(folder: Path, name: str, field: str) -> FetchedWeights:
    sums = folder / CHECKSUMS
    with refusing_unreadable(Reason.WEIGHTS_INVALID, field):
        found = sums.read_bytes() if sums.is_file() else None
    digest = _listed(found, name, str(folder), field)
    return _in_place(folder / name, digest, field)


def _in_place(path: Path, wanted: str | None, field: str) -> FetchedWeights:
    with refusing_unreadable(Reason.WEIGHTS_INVALID, field):
        if not path.is_file():
            raise RunError(Reason.WEIGHTS_NOT_FOUND, f"{field}: {path} is not a file on this computer")
        found = sha256(path)
    return _checked(FetchedWeights(path, str(path), found), wanted, field)


def _checked(found: FetchedWeights, wanted: str | None, field: str) -> FetchedWeights:
    if wanted is not None and found.sha256 != wanted:
        raise RunError(
            Reason.WEIGHTS_INVALID, f"{field}: {found.origin} has SHA-256 {found.sha256}, but should have {wanted}"
        )
    return found


def _store(location: S3Location, places: Places, what: str) -> S3Store:
    from modelyard_trainer.store.open import open_store  # noqa: PLC0415 - boto3, half a second

    return open_store(location, places.weights_credentials, in_cluster=places.in_cluster, what=what)


def _downloaded(store: S3Store, key: str, places: Places, progress: Progress, what: str) -> FetchedWeights:
    path = places.scratch / "weights" / PurePosixPath(key).name
    digest = store.download(key, path, _told(progress, path.name))
    if digest is None:
        raise RunError(Reason.WEIGHTS_NOT_FOUND, f"spec.{what}: there is no {store.uri(key)} in the store")
    return FetchedWeights(path, store.uri(key), digest)


def _told(progress: Progress, name: str) -> Callable[[int], None]:
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress.detail(f"{name}: {done / 1e6:.1f} MB")

    return count
