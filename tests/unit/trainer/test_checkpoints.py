"""Checkpoints in a folder and in a real S3 store: kept, gone on from, passed over, and not lost when the store is."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from modelyard_api.location import S3Location
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.status import DatasetStatus
from modelyard_trainer.checkpoints import keeper
from modelyard_trainer.checkpoints.folder import FolderShelf
from modelyard_trainer.checkpoints.keeper import KeptCheckpoints
from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.checkpoints.s3 import S3Shelf
from modelyard_trainer.checkpoints.shelf import Count, Shelf
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import sha256
from modelyard_trainer.loop.history import History
from modelyard_trainer.patience import Patience
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.s3 import LIMITS, Limits

from tests.unit.trainer.conftest import RealStore, free_port, serve_store, store_folder
from tests.unit.trainer.datasets import run_document

PATIENCE = Patience(5, first=0.05, longest=0.2)
DATA = DatasetStatus(images=10, training_images=8, validation_images=2, classes=2, digest="d1")


@dataclass
class Pod:
    """One attempt, as far as its checkpoints go."""

    keeper: KeptCheckpoints
    progress: Progress
    folder: Path
    best: Path = field(init=False)

    def __post_init__(self) -> None:
        self.best = self.folder / "best.pt"
        self.write_best("first")

    def write_best(self, content: str) -> None:
        """Replace best.pt as tasks do: whole, by a rename."""
        new = self.best.with_name("new")
        new.write_text(content)
        new.replace(self.best)

    def save(self, epochs: int, step: int = 0) -> None:
        """Keep a snapshot."""
        state = {"epochs": epochs, "step": step, "weights": [0.1 * epochs]}
        self.keeper.save(Snapshot(Position(epochs, step), state, {"best.pt": self.best}))

    def save_safely(self, *epochs: int) -> None:
        """Keep snapshots one after the other."""
        for each in epochs:
            self.save(each)
            eventually(lambda each=each: self.safe() == each)  # type: ignore[misc]

    def safe(self) -> int | None:
        """Epochs of the checkpoint that is told to be safe."""
        checkpoint = self.progress.now.checkpoint
        return checkpoint.epoch if checkpoint else None


@dataclass
class Yard:
    """A shelf that attempts come and go at."""

    shelf: Callable[[], Shelf]
    files: Path
    """Where its files lie on the disk."""
    root: Path

    def pod(self, attempt: int, *, uid: str = "", keep: int = 2, data: DatasetStatus = DATA) -> Pod:
        """The pod of an attempt."""
        document = with_attempt(run_document(checkpoints={"keepLast": keep}), attempt)
        uid = uid or f"pod-{attempt}"
        scratch = self.root / uid
        scratch.mkdir()
        progress = Progress(attempt, 4, 100)
        progress.dataset(data)
        keeper = KeptCheckpoints(
            self.shelf(), document, pod_uid=uid, scratch=scratch, progress=progress, patience=PATIENCE
        )
        return Pod(keeper, progress, scratch)

    def names(self) -> list[str]:
        """The files of all attempts."""
        return sorted(self.shelf().keys())

    def path(self, name: str) -> Path:
        """The one file on the disk whose key contains `name`."""
        (found,) = [path for path in self.files.rglob("*") if path.is_file() and name in str(path)]
        return found


def with_attempt(document: RunDocument, attempt: int) -> RunDocument:
    return document.model_copy(update={"attempt": attempt})


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)


def in_s3(endpoint: str, folder: Path, prefix: str, limits: Limits = LIMITS) -> Shelf:
    location = S3Location(uri=f"s3://models/{prefix}/", endpoint=endpoint)
    secret = RealStore(endpoint, folder).credentials(folder / "secret")
    store = open_store(location, secret, in_cluster=True, what="artifacts", limits=limits)
    return S3Shelf(store, "vision/run/uid-1")


@pytest.fixture(params=["folder", "s3"])
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """The same shelf twice: a folder of this computer, and versitygw."""
    if request.param == "folder":
        yield Yard(lambda: FolderShelf(tmp_path / "out", "uid-1"), tmp_path / "out", tmp_path)
        return
    store: RealStore = request.getfixturevalue("store")
    prefix = f"checkpoints-{uuid4()}"
    yield Yard(lambda: in_s3(store.endpoint, tmp_path, prefix), store.folder / "models" / prefix, tmp_path)


def test_the_next_attempt_goes_on_from_the_last_checkpoint(yard: Yard) -> None:
    first = yard.pod(1)
    assert first.keeper.restore() is None
    first.save(1, 7)
    assert first.keeper.close(20)

    second = yard.pod(2)
    snapshot = second.keeper.restore()
    assert snapshot is not None
    assert snapshot.position == Position(1, 7)
    assert snapshot.state == {"epochs": 1, "step": 7, "weights": [0.1]}
    assert snapshot.files["best.pt"].read_text() == "first"
    assert snapshot.files["best.pt"].is_relative_to(second.folder)
    now = second.progress.now
    assert (now.resumed_from_epoch, now.epoch) == (1, 1)
    assert now.checkpoint is not None
    assert now.checkpoint.uri.endswith("pod-1/checkpoints/e0001-s000007.json")
    assert second.keeper.history.resumed == now.checkpoint
    second.save(1, 7)
    second.keeper.close(5)
    assert second.keeper.history.taken == 0, "what was gone on from need not be kept again"


def test_tensors_come_back_as_they_were(yard: Yard) -> None:
    import torch  # noqa: PLC0415 - seconds

    pod = yard.pod(1)
    state = {"weights": {"a": torch.arange(6.0).reshape(2, 3)}, "rng": torch.get_rng_state(), "epoch": 3, "t": (1, 2)}
    pod.keeper.save(Snapshot(Position(3), state))
    pod.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert torch.equal(snapshot.state["weights"]["a"], state["weights"]["a"])  # type: ignore[index]
    assert torch.equal(snapshot.state["rng"], state["rng"])  # type: ignore[arg-type]
    assert (snapshot.state["epoch"], snapshot.state["t"]) == (3, (1, 2))


def test_a_checkpoint_that_there_is_no_memory_to_read_is_not_taken_for_a_damaged_one(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch  # noqa: PLC0415 - seconds

    def too_large(*_: object, **_options: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    pod = yard.pod(1)
    pod.keeper.save(Snapshot(Position(3), {"weights": torch.ones(2)}))
    pod.keeper.close(20)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="can't allocate memory"):
        patch.setattr(torch, "load", too_large)
        yard.pod(2).keeper.restore()
    assert yard.pod(3).keeper.restore() is not None


def test_a_training_that_has_diverged_keeps_the_checkpoint_before(yard: Yard) -> None:
    import torch  # noqa: PLC0415 - seconds

    pod = yard.pod(1, keep=1)
    pod.save_safely(1)
    pod.keeper.save(Snapshot(Position(2), {"model": [{"weights": torch.tensor([1.0, float("nan")])}]}))
    assert not pod.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert snapshot.position == Position(1)


def test_gradients_that_the_scaler_will_leave_out_do_not_cost_the_checkpoint(yard: Yard) -> None:
    import torch  # noqa: PLC0415 - seconds

    pod = yard.pod(1)
    overflowed = {"weight": torch.tensor([float("inf"), float("nan")])}
    pod.keeper.save(Snapshot(Position(2), {"model": {"weight": torch.ones(2)}, "gradients": overflowed}))
    assert pod.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert torch.equal(snapshot.state["gradients"]["weight"].isnan(), torch.tensor([False, True]))


def test_a_program_in_a_checkpoint_is_not_run(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    import torch  # noqa: PLC0415 - seconds

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (yard.root / "ran",))

    pod = yard.pod(1)
    pod.keeper.save(Snapshot(Position(3), {"weights": torch.zeros(1), "other": Payload()}))
    pod.keeper.close(20)
    assert "e0003" in yard.names()[-1]
    assert yard.pod(2).keeper.restore() is None
    assert "which may be a program" in caplog.text
    assert not (yard.root / "ran").exists()


def test_only_the_last_ones_are_kept_and_each_file_goes_up_once(yard: Yard) -> None:
    pod = yard.pod(1, keep=2)
    pod.save_safely(1, 2, 3)
    pod.write_best("second")
    pod.save_safely(4)
    pod.keeper.close(20)
    names = [name.rpartition("/")[2] for name in yard.names()]
    own = ["e0003-s000000.json", "e0003-s000000.state.json", "e0004-s000000.json", "e0004-s000000.state.json"]
    assert [name for name in names if name.startswith("e")] == own
    assert len([name for name in names if name.startswith("best-")]) == 2
    history = pod.keeper.history
    assert (history.taken, [each.epoch for each in history.kept]) == (4, [3, 4])
    pod.keeper.abandon()

    third = yard.pod(2, keep=1)
    assert third.keeper.restore() is not None
    third.write_best("second")
    third.save_safely(5)
    third.keeper.close(20)
    assert all(name.startswith("pod-2/") for name in yard.names())
    assert len(yard.names()) == 3


def test_a_snapshot_keeps_the_files_it_was_taken_with(yard: Yard) -> None:
    pod = yard.pod(1)
    pod.save(1)
    pod.write_best("of the second epoch")
    pod.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert snapshot.files["best.pt"].read_text() == "first"


def test_a_file_that_stays_the_same_is_read_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: Path) -> str:
        read.append(path.name)
        return sha256(path)

    monkeypatch.setattr(keeper, "sha256", counted)
    pod = yard.pod(1)
    pod.save_safely(1, 2, 3)
    assert read.count("best.pt") == 1
    pod.write_best("other")
    pod.save_safely(4)
    assert read.count("best.pt") == 2
    pod.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert snapshot.files["best.pt"].read_text() == "other"


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a bit of the state": ("e0002-s000000.state.json", flip_a_bit, "does not hold what was written"),
    "the state cut short": ("e0002-s000000.state.json", cut_short, "does not hold what was written"),
    "no state": ("e0002-s000000.state.json", Path.unlink, "is missing"),
    "the manifest cut short": ("e0002-s000000.json", cut_short, "is passed over"),
    "an empty manifest": ("e0002-s000000.json", empty, "is passed over"),
    "a bit of best.pt": ("best-", flip_a_bit, "does not hold what was written"),
}


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    name: str, damage: Callable[[Path], None], said: str, yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    pod = yard.pod(1)
    pod.save_safely(1)
    before = set(yard.files.rglob("best-*"))
    pod.write_best("second")
    pod.save_safely(2)
    pod.keeper.close(20)
    (newer,) = set(yard.files.rglob("best-*")) - before
    damage(newer if name == "best-" else yard.path(name))

    second = yard.pod(2)
    snapshot = second.keeper.restore()
    assert snapshot is not None
    assert snapshot.position == Position(1)
    assert said in caplog.text
    # What is taken now is behind the damaged one, and stays all the same.
    second.save_safely(2)
    second.keeper.close(20)
    third = yard.pod(3).keeper.restore()
    assert third is not None
    assert third.position == Position(2)


def test_where_every_checkpoint_is_damaged_the_training_begins_anew(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    pod = yard.pod(1)
    pod.save_safely(1)
    pod.keeper.close(20)
    flip_a_bit(yard.path("e0001-s000000.state.json"))
    second = yard.pod(2)
    assert second.keeper.restore() is None
    assert "begins anew" in caplog.text
    assert second.progress.now.resumed_from_epoch is None


def test_the_furthest_is_gone_on_from_whichever_attempt_took_it(yard: Yard) -> None:
    first, second = yard.pod(1), yard.pod(2)
    first.save_safely(7)
    second.save_safely(5)
    first.keeper.close(20)
    second.keeper.close(20)
    snapshot = yard.pod(3).keeper.restore()
    assert snapshot is not None
    assert snapshot.position == Position(7)


def test_a_data_set_that_has_changed_makes_another_training(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    pod = yard.pod(1)
    pod.save_safely(1)
    pod.keeper.close(20)
    changed = DATA.model_copy(update={"digest": "d2"})
    assert yard.pod(2, data=changed).keeper.restore() is None
    assert "the data set has changed since" in caplog.text


def test_a_task_that_begins_anew_all_the_same_is_understood(yard: Yard) -> None:
    pod = yard.pod(1)
    pod.save_safely(3)
    pod.keeper.close(20)
    second = yard.pod(2, keep=1)
    assert second.keeper.restore() is not None
    assert not second.keeper.due(Position(0, 1))
    assert second.progress.now.resumed_from_epoch is None
    assert second.keeper.history.resumed is None
    second.save_safely(3)
    second.keeper.close(20)
    assert all(name.startswith("pod-2/") for name in yard.names())


def test_a_name_is_never_used_twice_for_other_contents(yard: Yard) -> None:
    pod = yard.pod(1)
    pod.save_safely(1)
    pod.keeper.close(20)
    flip_a_bit(yard.path("e0001-s000000.state.json"))
    # The same pod, whose container was started again.
    (yard.root / "pod-1").rename(yard.root / "before")
    again = yard.pod(1, uid="pod-1")
    assert again.keeper.restore() is None
    again.save_safely(1)
    again.keeper.close(20)
    snapshot = yard.pod(2).keeper.restore()
    assert snapshot is not None
    assert snapshot.position == Position(1)


def test_nothing_is_left_when_the_run_is_published(yard: Yard) -> None:
    pod = yard.pod(1)
    pod.save_safely(1, 2)
    pod.keeper.clear()
    assert not yard.names()


class SlowShelf(FolderShelf):
    """Uploads go on only when they may."""

    def __init__(self, results: Path) -> None:
        super().__init__(results, "uid-1")
        self.may, self.begun = threading.Event(), threading.Event()

    def upload(self, path: Path, key: str, count: Count) -> None:
        """Wait, as a store that is slow lets one wait."""
        self.begun.set()
        while not self.may.wait(0.01):
            count(0)
        super().upload(path, key, count)


@pytest.fixture
def slow(tmp_path: Path) -> tuple[SlowShelf, Yard]:
    shelf = SlowShelf(tmp_path / "out")
    return shelf, Yard(lambda: shelf, tmp_path / "out", tmp_path)


def test_a_newer_one_takes_the_place_of_one_that_waits(slow: tuple[SlowShelf, Yard]) -> None:
    shelf, yard = slow
    pod = yard.pod(1, keep=10)
    pod.save(1)
    assert shelf.begun.wait(5)
    for epoch in (2, 3, 4):
        pod.save(epoch)
    shelf.may.set()
    assert pod.keeper.close(20)
    assert [each.epoch for each in pod.keeper.history.kept] == [1, 4]
    assert not [path for path in (pod.folder / "checkpoints").rglob("*") if path.is_file()], "scratch is given back"


def test_an_end_that_cannot_wait_leaves_no_half_checkpoint(slow: tuple[SlowShelf, Yard]) -> None:
    shelf, yard = slow
    pod = yard.pod(1)
    pod.save(1)
    assert shelf.begun.wait(5)
    assert not pod.keeper.close(0.2)
    assert not yard.names()


def test_a_disk_that_fills_up_while_files_are_linked_gets_its_space_back(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = yard.pod(1)

    def no_links(_path: Path, _target: Path) -> None:
        raise OSError(95, "Operation not supported")

    def no_space(_path: Path, target: Path) -> None:
        target.write_text("the first part")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.link", no_links)
        full.setattr("shutil.copyfile", no_space)
        pod.save(1)
    assert "No space left" in pod.progress.now.notice
    assert not list((pod.folder / "checkpoints").iterdir())
    pod.save_safely(2)
    pod.keeper.close(20)


def test_what_was_brought_here_for_nothing_is_removed(yard: Yard) -> None:
    pod = yard.pod(1)
    pod.save_safely(3)
    pod.keeper.close(20)
    second = yard.pod(2)
    assert second.keeper.restore() is not None
    assert (second.folder / "restored").exists()
    second.keeper.due(Position(0, 1))
    assert not (second.folder / "restored").exists()


def test_what_a_training_goes_on_from_lies_in_scratch_once(tmp_path: Path) -> None:
    restored, results = tmp_path / "restored", tmp_path / "results"
    restored.mkdir()
    results.mkdir()
    names = ("best.pt", "last.pt", "epoch1.pt")
    for name in names:
        (restored / name).write_text(name)
    history = History(
        results,
        Progress(2, 4, 10),
        metric="accuracy",
        write=lambda _path, _epoch, _metrics, _weights: None,
        save_period=1,
    )
    best = {"epoch": 1, "metric": "accuracy", "value": 0.5}
    state = {"epochs": [{"number": 1, "seconds": 1.0, "metrics": {}}], "best": best, "seconds": 0.0}
    history.restore(Snapshot(Position(1), state, {name: restored / name for name in names}), state)
    assert {name: path.read_text() for name, path in history.files().items()} == {name: name for name in names}
    assert not list(restored.iterdir())


def test_a_scratch_disk_that_is_full_does_not_end_the_training(yard: Yard) -> None:
    pod = yard.pod(1)
    (pod.folder / "checkpoints").write_text("no folder can be made here")
    pod.save(1)
    assert "was not kept" in pod.progress.now.notice
    (pod.folder / "checkpoints").unlink()
    pod.save_safely(2)
    assert not pod.progress.now.notice
    pod.keeper.close(20)


class FarAwayShelf(FolderShelf):
    """Its addresses are longer than a report has room for."""

    def uri(self, key: str) -> str:
        """As long as a bucket and the longest key."""
        return f"s3://models/{'deep/' * 210}{key}"


def test_an_address_that_is_too_long_for_a_report_costs_no_checkpoint(tmp_path: Path) -> None:
    yard = Yard(lambda: FarAwayShelf(tmp_path / "out", "uid-1"), tmp_path / "out", tmp_path)
    pod = yard.pod(1, keep=2)
    pod.save_safely(1, 2, 3)
    assert pod.keeper.close(20)
    assert (pod.keeper.history.taken, [each.epoch for each in pod.keeper.history.kept]) == (3, [2, 3])
    second = yard.pod(2)
    assert second.keeper.restore() is not None
    checkpoint = second.progress.now.checkpoint
    assert checkpoint is not None
    assert len(checkpoint.uri) == 1024
    assert checkpoint.uri.endswith("pod-1/checkpoints/e0003-s000000.json")


class RefusingShelf(FolderShelf):
    """Refuses so often, with one error after the other, and then no more."""

    def __init__(self, results: Path, *errors: Exception) -> None:
        super().__init__(results, "uid-1")
        self.errors, self.renewed = list(errors), 0

    def write(self, key: str, content: bytes) -> None:
        """Refuse while there are errors left."""
        if self.errors:
            raise self.errors.pop(0)
        super().write(key, content)

    def renew(self) -> None:
        """Count it."""
        self.renewed += 1


def test_whatever_the_store_says_the_checkpoint_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shelf = RefusingShelf(
        tmp_path / "out",
        RunError(Reason.STORE_UNREACHABLE, "answered 503"),
        RunError(Reason.CREDENTIALS_REFUSED, "the token has expired"),
        OSError(28, "No space left on device"),
    )
    pod = Yard(lambda: shelf, tmp_path / "out", tmp_path).pod(1)
    heard: list[str] = []
    pod.progress.listen(lambda snapshot, _urgent: heard.append(snapshot.notice))
    pod.save_safely(1)
    assert shelf.renewed == 3
    assert "the checkpoint of epoch 1 waits: answered 503" in heard
    eventually(lambda: not pod.progress.now.notice)
    assert "No space left" in "".join(heard)
    assert "checkpoints are safe again" in caplog.text
    pod.keeper.close(5)


@pytest.fixture
def own_store(tmp_path: Path) -> tuple[Path, int]:
    """The folder and port of a store that is not running yet."""
    return store_folder(tmp_path / "store"), free_port()


def test_a_store_that_is_away_delays_checkpoints_and_nothing_else(own_store: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = own_store
    yard = Yard(lambda: in_s3(f"http://127.0.0.1:{port}", tmp_path, "p"), folder, tmp_path)
    pod = yard.pod(1)
    with serve_store(folder, port):
        pod.save_safely(1)
    began = time.monotonic()
    pod.save(2)
    pod.save(3)
    assert time.monotonic() - began < 0.5, "training does not wait"
    eventually(lambda: "waits" in pod.progress.now.notice)
    assert "waits" in pod.progress.now.report(1).detail
    assert pod.safe() == 1
    with serve_store(folder, port):
        eventually(lambda: pod.safe() == 3)
        assert pod.keeper.close(20)
        assert not pod.progress.now.notice
        snapshot = yard.pod(2).keeper.restore()
        assert snapshot is not None
        assert snapshot.position == Position(3)


def test_a_store_that_goes_away_in_the_middle_of_an_upload_gets_it_whole_later(
    own_store: tuple[Path, int], tmp_path: Path
) -> None:
    folder, port = own_store
    yard = Yard(lambda: in_s3(f"http://127.0.0.1:{port}", tmp_path, "p"), folder, tmp_path)
    client = RealStore(f"http://127.0.0.1:{port}", folder).client()
    pod = yard.pod(1)
    with pod.best.open("wb") as file:
        file.truncate(300 << 20)

    def parts() -> list[object]:
        return list(client.list_multipart_uploads(Bucket="models").get("Uploads", []))

    with serve_store(folder, port):
        pod.save(1)
        eventually(lambda: bool(parts()))
    eventually(lambda: "waits" in pod.progress.now.notice)
    with serve_store(folder, port):
        eventually(lambda: pod.safe() == 1)
        assert pod.keeper.close(20)
        assert not parts()
        snapshot = yard.pod(2).keeper.restore()
        assert snapshot is not None
        assert snapshot.files["best.pt"].stat().st_size == 300 << 20


def test_an_attempt_that_finds_no_store_does_not_begin_anew(own_store: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = own_store
    pod = Yard(lambda: in_s3(f"http://127.0.0.1:{port}", tmp_path, "p"), folder, tmp_path).pod(2)
    pod.keeper._patience = Patience(0.3, first=0.2)
    with pytest.raises(RunError) as refused:
        pod.keeper.restore()
    assert refused.value.reason is Reason.STORE_UNREACHABLE


def test_parts_that_a_killed_pod_left_are_removed_but_not_ones_own(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    client = store.client()
    for pod in ("pod-1", "pod-2"):
        key = f"{prefix}/vision/run/uid-1/{pod}/checkpoints/e0001-s000000.pt"
        begun = client.create_multipart_upload(Bucket="models", Key=key)
        client.upload_part(Bucket="models", Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * 1024)
    yard = Yard(lambda: in_s3(store.endpoint, tmp_path, prefix), store.folder, tmp_path)
    assert yard.pod(2).keeper.restore() is None
    left = client.list_multipart_uploads(Bucket="models", Prefix=prefix).get("Uploads", [])
    assert [each["Key"].split("/")[-3] for each in left] == ["pod-2"]
    client.abort_multipart_upload(Bucket="models", Key=left[0]["Key"], UploadId=left[0]["UploadId"])


def test_an_upload_that_nobody_waits_for_leaves_no_parts(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = Yard(lambda: in_s3(store.endpoint, tmp_path, prefix), store.folder, tmp_path)
    pod = yard.pod(1)
    large = tmp_path / "large.pt"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    pod.keeper.save(Snapshot(Position(1), {"epoch": 1}, {"best.pt": large}))
    key = f"{prefix}/vision/run/uid-1/pod-1/checkpoints/"
    client = store.client()
    eventually(lambda: bool(client.list_multipart_uploads(Bucket="models", Prefix=key).get("Uploads")))
    pod.keeper.abandon()
    assert not client.list_multipart_uploads(Bucket="models", Prefix=key).get("Uploads")
    assert not [name for name in yard.names() if name.endswith("000.json")], "no manifest names what is not there"


def test_a_pod_that_was_given_up_keeps_no_more_checkpoints(
    store: RealStore, tmp_path: Path, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    yard = Yard(lambda: in_s3(store.endpoint, tmp_path, prefix), store.folder, tmp_path)
    key = f"{prefix}/vision/run/uid-1/claim.json"

    def claim(pod: str) -> None:
        store.client().put_object(Bucket="models", Key=key, Body=json.dumps({"attempt": 1, "podUid": pod}).encode())

    claim("pod-1")
    pod = yard.pod(1)
    pod.save_safely(1)
    before = yard.names()
    claim("pod-2")
    for epochs in (2, 3):
        pod.save(epochs)
        # Folders are removed meanwhile, which rglob takes amiss.
        eventually(lambda: not any(files for _, _, files in os.walk(pod.folder / "checkpoints")))
    assert not pod.keeper.close(20)
    assert yard.names() == before
    assert caplog.text.count("another pod is at work on this run") == 1


class OvertakenShelf(FolderShelf):
    """Another pod claims the run while a manifest is on its way, over a network that is slow that day."""

    overtaken = False

    def write(self, key: str, content: bytes) -> None:
        self.overtaken = "/e0002-" in key
        super().write(key, content)

    def is_claimed_by_another(self, pod_uid: str) -> bool:
        return self.overtaken and pod_uid == "pod-1"


def test_a_pod_that_was_given_up_takes_away_nothing_that_another_may_be_reading(tmp_path: Path) -> None:
    shelf = OvertakenShelf(tmp_path / "out", "uid-1")
    pod = Yard(lambda: shelf, tmp_path / "out", tmp_path).pod(1, keep=1)
    pod.save_safely(1)
    before = set(shelf.keys())
    pod.save_safely(2)
    assert pod.keeper.close(20)
    assert before < set(shelf.keys())


def test_credentials_that_were_renewed_are_used(store: RealStore, tmp_path: Path, prefix: str) -> None:
    secret = store.credentials(tmp_path / "secret")
    location = S3Location(uri=f"s3://models/{prefix}/", endpoint=store.endpoint)
    shelf = S3Shelf(open_store(location, secret, in_cluster=True, what="artifacts"), "run")
    (secret / "AWS_SECRET_ACCESS_KEY").write_text("expired")
    shelf.renew()
    with pytest.raises(RunError) as refused:
        shelf.write("a", b"")
    assert refused.value.reason is Reason.CREDENTIALS_REFUSED
    store.credentials(secret)
    shelf.renew()
    shelf.write("a", b"")
