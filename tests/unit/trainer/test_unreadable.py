"""What lies on this computer and may not be read: refused in a sentence, never left out in silence."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.spec import Dataset
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import FetchedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import files_below, format_checksums, sha256
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.push import push_dataset
from modelyard_trainer.store.s3 import S3Store
from modelyard_trainer.weights.fetch import fetch_weights

from tests.unit.trainer.datasets import make_dataset, run_document

POD = 65532


@contextmanager
def as_the_pods_user() -> Iterator[None]:
    """Root may read everything; whoever is not root already runs with an owner's rights alone."""
    if os.geteuid() != 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(POD)
    os.seteuid(POD)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def dataset(volume: Path) -> Path:
    """Whole, without a list of its files, and with pictures to validate on."""
    folder = make_dataset(volume / "data", pictures=4)
    (folder / "SHA256SUMS").unlink()
    (folder / "images" / "val").mkdir()
    (folder / "images" / "000.jpg").rename(folder / "images" / "val" / "000.jpg")
    return folder


def fetched(folder: Path) -> FetchedDataset:
    with as_the_pods_user():
        return fetch(Dataset(path=str(folder)), Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2)


def refused(reason: Reason, field: str, path: Path, error: RunError) -> bool:
    """Whether it says which file, which user and what would be right, and is not tried again."""
    user = POD if os.geteuid() == 0 else os.geteuid()
    return (error.reason, EXIT_CODES[error.reason], error.message) == (
        reason,
        ExitCode.USER_ERROR,
        f"{field}: {path} cannot be read by the user that the trainer is here, uid {user}; files that everybody may "
        "read in folders that everybody may enter (chmod -R a+rX) would be right",
    )


@pytest.mark.parametrize("closed", [".", "images", "images/val", "data.yaml", "labels/001.txt"])
def test_a_data_set_is_refused_where_a_file_or_folder_of_it_cannot_be_read(closed: str, dataset: Path) -> None:
    path = dataset / closed
    before = path.stat().st_mode
    path.chmod(0)
    try:
        with pytest.raises(RunError) as refusal:
            fetched(dataset)
    finally:
        path.chmod(before)
    assert refused(Reason.DATASET_INVALID, "spec.dataset.path", path, refusal.value)


def test_a_folder_that_can_be_listed_and_not_entered_is_refused_at_its_first_file(dataset: Path) -> None:
    (dataset / "images" / "val").chmod(0o444)
    try:
        with pytest.raises(RunError) as refusal:
            fetched(dataset)
    finally:
        (dataset / "images" / "val").chmod(0o755)
    assert refused(Reason.DATASET_INVALID, "spec.dataset.path", dataset / "images" / "val" / "000.jpg", refusal.value)


def test_a_data_set_of_which_a_folder_cannot_be_read_is_not_pushed(dataset: Path) -> None:
    nowhere: S3Store = None  # type: ignore[assignment]
    closed = dataset / "images" / "val"
    closed.chmod(0)
    try:
        with pytest.raises(RunError) as refusal, as_the_pods_user():
            push_dataset(nowhere, dataset, lambda _: None, threads=1)
    finally:
        closed.chmod(0o755)
    assert refused(Reason.DATASET_INVALID, str(dataset), closed, refusal.value)


@pytest.mark.parametrize("own", ["lost+found", ".Trash-0", "images/.cache"])
def test_closed_folders_of_the_file_system_are_no_part_of_a_data_set(own: str, dataset: Path) -> None:
    whole = fetched(dataset).digests
    (dataset / own).mkdir()
    (dataset / own / "file").write_bytes(b"")
    (dataset / own).chmod(0)
    try:
        assert fetched(dataset).digests == whole
    finally:
        (dataset / own).chmod(0o755)
    assert len(whole) == 9


def test_a_folder_that_is_called_as_the_file_systems_own_elsewhere_counts(dataset: Path) -> None:
    (dataset / "images" / "lost+found").mkdir()
    (dataset / "images" / "lost+found" / "000.jpg").write_bytes(b"")
    assert "images/lost+found/000.jpg" in fetched(dataset).digests


def test_where_there_is_no_folder_there_are_no_files(volume: Path) -> None:
    assert list(files_below(volume / "nowhere")) == []


@pytest.mark.parametrize("closed", ["best.pt", "SHA256SUMS", "."])
def test_weights_that_cannot_be_read_are_refused(closed: str, volume: Path) -> None:
    folder = volume / "results"
    folder.mkdir()
    (folder / "best.pt").write_bytes(b"weights")
    (folder / "SHA256SUMS").write_text(format_checksums({"best.pt": sha256(folder / "best.pt")}))
    document = run_document(model={"architecture": "resnet18", "from": {"path": str(folder)}})
    before = (folder / closed).stat().st_mode
    (folder / closed).chmod(0)
    try:
        with pytest.raises(RunError) as refusal, as_the_pods_user():
            fetch_weights(document, Places(volume), Progress(1, 1, 1))
    finally:
        (folder / closed).chmod(before)
    missing = folder / "SHA256SUMS" if closed == "." else folder / closed
    assert refused(Reason.WEIGHTS_INVALID, "spec.model.from.path", missing, refusal.value)
