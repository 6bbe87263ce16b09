"""The trainer against a real S3 server: what it reads and writes, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from modelyard_api.location import S3Location, SecretReference
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Dataset
from modelyard_trainer import patience
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.destination import Published
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.patience import Patience
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.store.destination import S3Destination
from modelyard_trainer.store.download import download_dataset
from modelyard_trainer.store.errors import explain
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.s3 import ConditionUnsupportedError, PreconditionFailedError, S3Store
from modelyard_trainer.store.transfer import Counter, TransferStoppedError, in_parallel

from tests.unit.trainer.conftest import RealStore, free_port, serve_store, store_folder
from tests.unit.trainer.datasets import make_dataset, run_document


def opened(store: RealStore, tmp_path: Path, uri: str, what: str = "artifacts") -> S3Store:
    folder = store.credentials(tmp_path / "secret")
    return open_store(S3Location(uri=uri, endpoint=store.endpoint), folder, in_cluster=True, what=what)


def fetch_from(store: RealStore, tmp_path: Path, uri: str, *, endpoint: str | None = None) -> dict[str, str]:
    """Fetch a data set as a pod does; path to digest."""
    places = Places(tmp_path / "scratch", tmp_path / "mount", in_cluster=True)
    store.credentials(places.dataset_credentials)
    location = S3Location(uri=uri, endpoint=endpoint or store.endpoint, secret_ref=SecretReference(name="s3"))
    return fetch(Dataset(s3=location), places, Progress(1, 1, 1), cpus=2).digests


def test_a_data_set_is_fetched_whole_and_checked(store: RealStore, tmp_path: Path, prefix: str) -> None:
    folder = make_dataset(tmp_path / "made")
    store.put_folder(folder, "datasets", prefix)
    told: list[str] = []
    places = Places(tmp_path / "scratch", tmp_path / "mount", in_cluster=True)
    store.credentials(places.dataset_credentials)
    progress = Progress(1, 1, 1)
    progress.listen(lambda snapshot, _urgent: told.append(snapshot.detail))
    location = S3Location(uri=f"s3://datasets/{prefix}/", endpoint=store.endpoint)

    fetched = fetch(Dataset(s3=location), places, progress, cpus=2)

    assert fetched.digests == parse_checksums((folder / "SHA256SUMS").read_text())
    assert all(sha256(fetched.folder / name) == digest for name, digest in fetched.digests.items())
    size = sum((folder / name).stat().st_size for name in fetched.digests)
    assert told[-1] == f"{size / 1000:.1f} kB of {size / 1000:.1f} kB"


def test_a_data_set_without_checksums_has_the_digests_of_what_was_read(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    folder = make_dataset(tmp_path / "made")
    wanted = parse_checksums((folder / "SHA256SUMS").read_text())
    (folder / "SHA256SUMS").unlink()
    store.put_folder(folder, "datasets", prefix)
    assert fetch_from(store, tmp_path, f"s3://datasets/{prefix}") == wanted


def test_an_object_that_changed_is_refused(store: RealStore, tmp_path: Path, prefix: str) -> None:
    store.put_folder(make_dataset(tmp_path / "made"), "datasets", prefix)
    store.client().put_object(Bucket="datasets", Key=f"{prefix}/labels/003.txt", Body=b"0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(RunError, match=r"labels/003.txt has the SHA-256") as refused:
        fetch_from(store, tmp_path, f"s3://datasets/{prefix}/")
    assert refused.value.reason is Reason.DATASET_CHECKSUM_MISMATCH


def test_an_object_that_is_gone_is_refused_before_anything_is_read(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    store.put_folder(make_dataset(tmp_path / "made"), "datasets", prefix)
    store.client().delete_object(Bucket="datasets", Key=f"{prefix}/images/003.jpg")
    with pytest.raises(RunError, match=r"images/003.jpg is listed in SHA256SUMS but is not in the data set"):
        fetch_from(store, tmp_path, f"s3://datasets/{prefix}/")
    assert not (tmp_path / "scratch" / "dataset").exists()


def test_a_key_that_is_not_there_is_named(store: RealStore, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is nothing below s3://datasets/no/such/thing/") as refused:
        fetch_from(store, tmp_path, "s3://datasets/no/such/thing/")
    assert refused.value.reason is Reason.DATASET_NOT_FOUND


def test_a_bucket_that_is_not_there_is_named(store: RealStore, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"{store.endpoint} has no bucket pictures") as refused:
        fetch_from(store, tmp_path, "s3://pictures/v1/")
    assert refused.value.reason is Reason.BUCKET_NOT_FOUND


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")])
def test_wrong_credentials_are_refused(name: str, value: str, store: RealStore, tmp_path: Path) -> None:
    secret = store.credentials(tmp_path / "secret")
    (secret / name).write_text(value)
    location = S3Location(uri="s3://models/", endpoint=store.endpoint)
    destination = S3Destination(open_store(location, secret, in_cluster=True, what="artifacts"), run_document(), "pod")
    with pytest.raises(RunError, match=r"spec.artifacts.s3: .* refused the credentials") as refused:
        destination.prepare()
    assert refused.value.reason is Reason.CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "Secret s3 is not in the run's namespace"),
        ({"AWS_ACCESS_KEY_ID": "someone"}, "Secret s3 has no AWS_SECRET_ACCESS_KEY"),
        ({"user": "someone"}, "Secret s3 has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_secret_that_is_missing_or_lacks_a_key_is_said(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, value in files.items():
        (tmp_path / name).write_text(value)
    location = S3Location(uri="s3://models/", endpoint="http://127.0.0.1:1", secret_ref=SecretReference(name="s3"))
    with pytest.raises(RunError, match=message) as refused:
        open_store(location, tmp_path, in_cluster=True, what="artifacts")
    assert refused.value.reason is Reason.CREDENTIALS_MISSING


def test_no_credentials_at_all_are_said(store: RealStore, tmp_path: Path, no_credentials: Callable[[], None]) -> None:
    no_credentials()
    location = S3Location(uri="s3://models/", endpoint=store.endpoint)
    unknown = open_store(location, tmp_path / "none", in_cluster=False, what="artifacts")
    with pytest.raises(RunError, match="there are no credentials for") as refused:
        unknown.write("x", b"")
    assert refused.value.reason is Reason.CREDENTIALS_MISSING


def test_a_store_that_cannot_be_reached_may_be_tried_again(store: RealStore, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be reached") as refused:
        fetch_from(store, tmp_path, "s3://datasets/v1/", endpoint=f"http://127.0.0.1:{free_port()}")
    assert EXIT_CODES[refused.value.reason] is ExitCode.STORE_UNREACHABLE


def publish(store: S3Store, tmp_path: Path, pod: str, attempt: int = 1) -> tuple[Published, RunDocument]:
    """Publish two files as attempt `attempt` of one run."""
    document = run_document().model_copy(update={"attempt": attempt})
    destination = S3Destination(store, document, pod)
    destination.prepare()
    return published_by(destination, tmp_path / f"results-{pod}"), document


def published_by(destination: S3Destination, folder: Path) -> Published:
    """Publish two files that are made in `folder`."""
    (folder / "plots").mkdir(parents=True)
    (folder / "best.pt").write_bytes(folder.name.encode() * 1000)
    (folder / "plots" / "curves.png").write_bytes(b"png")
    return destination.publish(folder, Progress(1, 1, 1), Interruption())


def test_results_lie_below_the_pods_uid_and_the_pointer_names_them(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    published, _ = publish(opened(store, tmp_path, f"s3://models/{prefix}/"), tmp_path, "pod-1")
    root = f"{prefix}/vision/run/uid-1"
    assert store.keys("models", prefix) == [
        f"{root}/claim.json",
        f"{root}/latest.json",
        f"{root}/pod-1/artifacts/SHA256SUMS",
        f"{root}/pod-1/artifacts/best.pt",
        f"{root}/pod-1/artifacts/plots/curves.png",
    ]
    pointer = json.loads(store.client().get_object(Bucket="models", Key=f"{root}/latest.json")["Body"].read())
    sums = store.client().get_object(Bucket="models", Key=f"{root}/{pointer['checksums']}")["Body"].read()
    assert published.uri == f"s3://models/{root}/pod-1/artifacts"
    assert pointer["attempt"] == 1
    assert {a.name: a.sha256 for a in published.artifacts} == parse_checksums(sums.decode())


def test_a_later_attempt_takes_the_pointer_over_and_an_earlier_one_cannot(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    publish(yard, tmp_path, "pod-2", attempt=2)
    publish(yard, tmp_path, "pod-3", attempt=3)
    with pytest.raises(RunError, match="a later attempt of this run is at work already") as refused:
        publish(yard, tmp_path, "pod-1", attempt=1)
    assert refused.value.reason is Reason.INTERRUPTED
    key = f"{prefix}/vision/run/uid-1/latest.json"
    assert json.loads(store.client().get_object(Bucket="models", Key=key)["Body"].read())["podUid"] == "pod-3"


@pytest.mark.parametrize("attempts", [(1, 2), (1, 1)], ids=["a later attempt", "another pod of the same attempt"])
def test_a_pod_that_was_given_up_publishes_nothing_once_another_is_at_work(
    store: RealStore, tmp_path: Path, prefix: str, attempts: tuple[int, int]
) -> None:
    prefix = f"{prefix}-{attempts[1]}"
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    given_up, successor = (
        S3Destination(yard, run_document().model_copy(update={"attempt": attempt}), pod)
        for attempt, pod in zip(attempts, ("pod-1", "pod-2"), strict=True)
    )
    given_up.prepare()
    successor.prepare()
    with pytest.raises(RunError, match="another pod has taken this run over") as refused:
        published_by(given_up, tmp_path / "given-up")
    assert refused.value.reason is Reason.INTERRUPTED
    assert f"{prefix}/vision/run/uid-1/latest.json" not in store.keys("models", prefix)
    published_by(successor, tmp_path / "successor")
    key = f"{prefix}/vision/run/uid-1/latest.json"
    assert json.loads(store.client().get_object(Bucket="models", Key=key)["Body"].read())["podUid"] == "pod-2"


def test_nothing_points_at_results_whose_upload_failed(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")

    class Failing(S3Store):
        def upload(self, path: Path, key: str, count: Callable[[int], None] = lambda _n: None) -> None:
            if path.name == "curves.png":
                raise RunError(Reason.INTERNAL_ERROR, "gone")
            super().upload(path, key, count)

    yard.__class__ = Failing
    with pytest.raises(RunError, match="gone"):
        publish(yard, tmp_path, "pod-1")
    assert not [key for key in store.keys("models", prefix) if key.endswith(("SHA256SUMS", "latest.json"))]


def test_the_store_keeps_conditions_and_one_of_many_writers_wins(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    won: list[int] = []

    def write(number: int) -> None:
        try:
            yard.write_if("latest.json", str(number).encode(), None)
            won.append(number)
        except PreconditionFailedError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    found = yard.read("latest.json")
    assert found is not None
    assert found[0] == str(won[0]).encode()
    with pytest.raises(PreconditionFailedError):
        yard.write_if("latest.json", b"other", '"not-its-etag"')
    yard.write_if("latest.json", b"next", found[1])


def test_a_store_without_conditions_is_noticed(store: RealStore, tmp_path: Path, prefix: str) -> None:
    class Old(S3Store):
        def write_if(self, key: str, content: bytes, etag: str | None) -> None:
            raise ConditionUnsupportedError(key)

    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    yard.__class__ = Old
    destination = S3Destination(yard, run_document(), "pod")
    destination.prepare()
    assert "knows no conditional writes" in destination.notices[0]
    assert store.keys("models", prefix) == [f"{prefix}/vision/run/uid-1/claim.json"]


def test_a_large_file_goes_up_in_parts_and_comes_back_the_same(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * (40 << 12))  # 40 MiB: two parts
    counted: list[int] = []
    yard.upload(path, "large.bin", counted.append)
    assert sum(counted) == path.stat().st_size
    assert yard.download("large.bin", tmp_path / "back.bin", lambda _n: None) == sha256(path)
    assert sha256(tmp_path / "back.bin") == sha256(path)


def test_an_upload_that_is_stopped_leaves_no_parts(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(100 << 20))
    counter = Counter(path.stat().st_size, lambda _phrase: counter.stop())
    with pytest.raises(TransferStoppedError):
        in_parallel(lambda key: yard.upload(path, key, counter.add), ["large.bin"], counter)
    assert not store.client().list_multipart_uploads(Bucket="models").get("Uploads")
    assert not store.keys("models", prefix)


def test_the_first_failure_stops_the_other_transfers(store: RealStore, tmp_path: Path, prefix: str) -> None:
    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    for number in range(40):
        yard.write(f"{number}", b"x" * 1000)
    counter, done = Counter(40_000, lambda _phrase: None), list[str]()

    def bring(key: str) -> None:
        if key == "3":
            raise RunError(Reason.STORE_UNREACHABLE, "gone")
        yard.download(key, tmp_path / "got" / key, counter.add)
        done.append(key)

    with pytest.raises(RunError, match="gone"):
        in_parallel(bring, map(str, range(40)), counter)
    assert len(done) < 39


class Answers:
    """A store that breaks off once, and then sends the whole object though a part of it was asked for."""

    content = b"0123456789"

    def __init__(self) -> None:
        self.asked = 0

    def get_object(self, **_request: str) -> dict[str, object]:
        self.asked += 1
        return {
            "ETag": "x",
            "ContentLength": len(self.content),
            "Body": self,
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        yield self.content[:4]
        if self.asked == 1:
            raise ConnectionError("cut off")
        yield self.content[4:]


def test_a_store_that_cannot_send_parts_is_read_from_the_start(tmp_path: Path) -> None:
    yard = open_store(
        S3Location(uri="s3://datasets/", endpoint="http://127.0.0.1:1"), tmp_path, in_cluster=False, what="dataset"
    )
    yard.__dict__["_client"] = Answers()
    assert yard.download("x", tmp_path / "x", lambda _n: None) == sha256(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == Answers.content


def test_a_store_that_knows_one_condition_only_gets_the_pointer_still(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    class Half(S3Store):
        def write_if(self, key: str, content: bytes, etag: str | None) -> None:
            if etag is not None:
                raise ConditionUnsupportedError(key)
            super().write_if(key, content, etag)

    yard = opened(store, tmp_path, f"s3://models/{prefix}")
    yard.__class__ = Half
    publish(yard, tmp_path, "pod-1")
    publish(yard, tmp_path, "pod-2", attempt=2)
    there = yard.read("vision/run/uid-1/latest.json")
    assert there is not None
    assert json.loads(there[0])["podUid"] == "pod-2"


class Recording(S3Store):
    """A store that counts the uploads that ended well, by the file's name."""

    uploads: list[str]
    between: Callable[[str], None]

    def upload(self, path: Path, key: str, count: Callable[[int], None] = lambda _n: None) -> None:
        self.between(path.name)
        super().upload(path, key, count)
        self.uploads.append(path.name)


def test_results_survive_a_store_that_is_away_for_a_while(tmp_path: Path) -> None:
    folder, port = store_folder(tmp_path / "store"), free_port()
    store = RealStore(f"http://127.0.0.1:{port}", folder)
    results = tmp_path / "results"
    results.mkdir()
    (results / "best.pt").write_bytes(b"weights" * 1000)
    (results / "run.json").write_text("{}")
    yard = opened(store, tmp_path, "s3://models/")
    yard.__class__ = Recording
    assert isinstance(yard, Recording)
    yard.uploads = []
    told: list[str] = []
    away, wait_for_first = threading.Event(), threading.Event()
    progress = Progress(1, 1, 1)

    def listen(detail: str) -> None:
        told.append(detail)
        if "the store is away" in detail:
            away.set()

    progress.listen(lambda snapshot, _urgent: listen(snapshot.detail))
    first = serve_store(folder, port)
    first.__enter__()

    def stop_after_the_first(name: str) -> None:
        if name == "run.json" and not away.is_set():
            while "best.pt" not in yard.uploads:
                time.sleep(0.01)
            if not wait_for_first.is_set():
                wait_for_first.set()
                first.__exit__(None, None, None)

    yard.between = stop_after_the_first
    destination = S3Destination(yard, run_document(), "pod-1", Patience(60, first=0.2, longest=0.5))
    destination.prepare()
    published: list[Published] = []
    publishing = threading.Thread(
        target=lambda: published.append(destination.publish(results, progress, Interruption()))
    )
    publishing.start()
    assert away.wait(60)
    with serve_store(folder, port):
        publishing.join(60)
        assert [a.name for a in published[0].artifacts] == ["best.pt", "run.json"]
        assert sorted(yard.uploads) == ["best.pt", "run.json"]
        assert "vision/run/uid-1/latest.json" in store.keys("models")


def unreachable(tmp_path: Path, patience: Patience) -> tuple[S3Destination, Path]:
    location = S3Location(uri="s3://models/", endpoint=f"http://127.0.0.1:{free_port()}")
    secret = RealStore("", tmp_path).credentials(tmp_path / "secret")
    yard = open_store(location, secret, in_cluster=True, what="artifacts")
    results = tmp_path / "results"
    results.mkdir()
    (results / "best.pt").write_bytes(b"weights")
    return S3Destination(yard, run_document(), "pod-1", patience), results


def test_patience_with_a_store_ends(tmp_path: Path) -> None:
    destination, results = unreachable(tmp_path, Patience(0.1, first=0.2))
    with pytest.raises(RunError, match="cannot be reached") as refused:
        destination.publish(results, Progress(1, 1, 1), Interruption())
    assert refused.value.reason is Reason.STORE_UNREACHABLE


def test_a_signal_ends_the_wait_for_a_store(tmp_path: Path) -> None:
    destination, results = unreachable(tmp_path, Patience(1200, first=600, longest=600))
    progress = Progress(1, 1, 1)

    def interrupt(_number: int, _frame: object) -> None:
        raise Interrupted

    def kill_soon(snapshot: Snapshot, _urgent: bool) -> None:
        if "the store is away" in snapshot.detail:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()

    progress.listen(kill_soon)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted):
            destination.publish(results, progress, Interruption())
    finally:
        signal.signal(signal.SIGUSR1, before)


class Clock:
    """Time that passes while somebody sleeps, and not otherwise."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self._now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In which patience passes."""
    monkeypatch.setattr(patience, "time", Clock())


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("reason", [Reason.CREDENTIALS_MISSING, Reason.CREDENTIALS_REFUSED, Reason.STORE_UNREACHABLE])
def test_what_was_waited_for_in_vain_is_tried_again_if_it_ever_worked(reason: Reason) -> None:
    told: list[str] = []
    renewed: list[bool] = []

    def refuse() -> None:
        raise RunError(reason, "spec.artifacts.s3: no")

    def asked(*, proved: bool = True) -> RunError:
        with pytest.raises(RunError, match=r"spec.artifacts.s3: no") as refused:
            Patience(0.1, first=0.01).until_it_answers(
                refuse, told.append, renew=lambda: renewed.append(True), proved=proved
            )
        return refused.value

    assert asked(proved=False).reason is reason
    assert not told
    assert asked().reason is Reason.STORE_UNREACHABLE
    assert len(told) == len(renewed) == 3
    assert "trying again in" in told[0]


@pytest.mark.usefixtures("clock")
def test_what_fails_after_more_is_done_is_another_outage() -> None:
    done: list[int] = []

    def fail_often() -> str:
        done.append(1)
        if len(done) < 20:
            raise RunError(Reason.STORE_UNREACHABLE, "away")
        return "done"

    waiting = Patience(0.05, first=0.02)
    assert waiting.until_it_answers(fail_often, lambda _said: None, proved=False, done=lambda: len(done)) == "done"


def test_a_fetch_that_broke_off_goes_on_with_the_files_that_are_left(
    store: RealStore, tmp_path: Path, prefix: str
) -> None:
    folder = make_dataset(tmp_path / "made")
    store.put_folder(folder, "datasets", prefix)
    brought: list[str] = []
    last = threading.Event()

    class Failing(S3Store):
        def download(self, key: str, path: Path, count: Callable[[int], None]) -> str | None:
            if key == "labels/003.txt" and not last.is_set():
                while len(brought) < 5:
                    time.sleep(0.01)
                last.set()
                raise RunError(Reason.STORE_UNREACHABLE, "gone")
            brought.append(key)
            return super().download(key, path, count)

    yard = opened(store, tmp_path, f"s3://datasets/{prefix}", "dataset")
    yard.__class__ = Failing
    done: dict[str, str] = {}
    with pytest.raises(RunError, match="gone"):
        download_dataset(yard, tmp_path / "here", Progress(1, 1, 1), done)
    assert done
    before = set(done)
    brought.clear()
    fetched = download_dataset(yard, tmp_path / "here", Progress(1, 1, 1), done)
    assert not before & set(brought)
    assert fetched.digests == parse_checksums((folder / "SHA256SUMS").read_text())


def test_a_clock_that_is_wrong_passes() -> None:
    said = {"Error": {"Code": "RequestTimeTooSkewed"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    error = explain(ClientError(said, "PutObject"), "artifacts", "s3://models/a", "http://store")  # type: ignore[arg-type]
    assert error.reason is Reason.STORE_UNREACHABLE


def test_pauses_grow_to_a_bound() -> None:
    patience = Patience()
    assert [patience.pause(n) for n in (1, 2, 3, 6, 2000)] == [1, 2, 4, 30, 30]
