"""`python -m modelyard_trainer` as the kubelet starts it: exit codes, termination messages, signals and reports."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from modelyard_api.outcome import ExitCode, Reason
from modelyard_api.report import Stage
from modelyard_api.run_document import Intake, RunDocument
from modelyard_trainer.files import parse_checksums, sha256

from tests.unit.trainer.conftest import RealStore, free_port, serve_store, store_folder
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.intake import RecordingIntake
from tests.unit.trainer.pod import TRAINER, Pod

_QUICK = 20.0


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[RecordingIntake]:
    with RecordingIntake(tmp_path / "intake") as running:
        yield running


def local(tmp_path: Path, **changes: object) -> RunDocument:
    """A run of the test task on a sound data set of this computer."""
    folder = tmp_path / "dataset"
    if not folder.exists():
        make_dataset(folder)
    places = {"dataset": {"path": str(folder)}, "artifacts": {"path": str(tmp_path / "out")}}
    return run_document(**{**places, **changes})


def architecture(name: str) -> dict[str, str]:
    return {"architecture": name}


def test_a_run_that_ends_well_says_what_it_published(pod: Pod, tmp_path: Path) -> None:
    code, message = pod.run(local(tmp_path))
    assert (code, message.reason) == (ExitCode.SUCCESS, Reason.COMPLETED)
    assert (message.epoch, message.epochs) == (3, 3)
    assert message.best is not None
    assert message.best.metric == "accuracy"
    assert message.dataset is not None
    assert (message.dataset.images, message.dataset.validation_images) == (10, 2)
    sums = tmp_path / "out" / "SHA256SUMS"
    assert message.checksums_sha256 == sha256(sums)
    published = parse_checksums(sums.read_text())
    assert {a.name: a.sha256 for a in message.artifacts} == published
    assert all(sha256(tmp_path / "out" / name) == digest for name, digest in published.items())
    assert {"run.json", "metrics.csv", "labels.json", "split.json", "report.html", "training.log"} <= set(published)


def test_a_training_that_patience_ends_says_so_and_after_which_epoch_it_was_best(pod: Pod, tmp_path: Path) -> None:
    code, message = pod.run(local(tmp_path, training={"epochs": 50, "patience": 2}))
    assert (code, message.reason) == (ExitCode.SUCCESS, Reason.COMPLETED_EARLY)
    assert message.best is not None
    assert message.epoch == message.best.epoch + 2 < 50
    early = f"{message.epoch} of 50 epochs, best accuracy {float(message.best.value):.3f} in epoch {message.best.epoch}"
    assert message.message.startswith(f"{early}: 2 more brought nothing better (training.patience)")


def test_a_run_in_s3_reads_and_writes_there(pod: Pod, tmp_path: Path, store: RealStore, prefix: str) -> None:
    store.put_folder(make_dataset(tmp_path / "made"), "datasets", prefix)
    store.credentials(pod.mount / "s3" / "dataset")
    store.credentials(pod.mount / "s3" / "artifacts")
    secret = {"endpoint": store.endpoint, "secretRef": {"name": "s3"}}
    document = run_document(
        dataset={"s3": {"uri": f"s3://datasets/{prefix}/", **secret}},
        artifacts={"s3": {"uri": f"s3://models/{prefix}/", **secret}},
    )
    code, message = pod.run(document)
    assert code == ExitCode.SUCCESS, message
    assert message.artifacts_uri == f"s3://models/{prefix}/vision/run/uid-1/pod-uid-1/artifacts"
    assert f"{prefix}/vision/run/uid-1/latest.json" in store.keys("models", prefix)


BAD_RUNS = {
    "unknown architecture": (
        {"model": architecture("yolov9000")},
        Reason.ARCHITECTURE_UNKNOWN,
        "spec.model.architecture: there is no yolov9000",
    ),
    "export not possible": ({"export": [{"format": "onnx"}]}, Reason.SPEC_INVALID, "spec.export"),
    "no data set": ({"dataset": {"path": "/nowhere/at/all"}}, Reason.DATASET_NOT_FOUND, "/nowhere/at/all"),
}


@pytest.mark.parametrize(("changes", "reason", "message"), BAD_RUNS.values(), ids=BAD_RUNS.keys())
def test_what_the_user_got_wrong_ends_with_10_within_seconds(
    changes: dict[str, object], reason: Reason, message: str, pod: Pod, tmp_path: Path
) -> None:
    began = time.monotonic()
    code, said = pod.run(local(tmp_path, **changes))
    assert (code, said.reason) == (ExitCode.USER_ERROR, reason)
    assert message in said.message
    assert time.monotonic() - began < _QUICK


def test_a_bad_label_ends_with_10_and_names_the_line(pod: Pod, tmp_path: Path) -> None:
    document = local(tmp_path)
    (tmp_path / "dataset" / "SHA256SUMS").unlink()
    (tmp_path / "dataset" / "labels" / "001.txt").write_text("0 0.5 0.5 0.1 0.1\n5 0.5 0.5 0.1 0.1\n")
    code, said = pod.run(document)
    assert (code, said.reason) == (ExitCode.USER_ERROR, Reason.LABEL_INVALID)
    assert said.message.startswith("labels/001.txt, line 2: class 5 is not one of the 2 classes")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.STORE_UNREACHABLE, 13),
        (Reason.DIVERGED, 14),
        (Reason.EXPORT_DIFFERS, 15),
        (Reason.INTERNAL_ERROR, 1),
        (Reason.HOST_OUT_OF_MEMORY, 1),
    ],
)
def test_what_happens_while_training_has_its_own_code(reason: Reason, code: int, pod: Pod, tmp_path: Path) -> None:
    document = local(tmp_path, model=architecture(f"linear-fails-{reason.value}-at-3"))
    returned, said = pod.run(document)
    assert (returned, said.reason) == (code, reason)
    assert said.epoch == 2
    assert said.best is not None
    assert not (tmp_path / "out" / "SHA256SUMS").exists()


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from modelyard_trainer.process import leave, main
leave(main(sys.argv[1:]))
"""
"""The trainer in an image that has none."""


@pytest.mark.parametrize("program", [TRAINER, ("-c", WITHOUT_TORCH)], ids=["torch's error", "its namesake"])
def test_a_batch_that_does_not_fit_is_told_by_the_error_that_it_raises(
    program: Sequence[str], pod: Pod, tmp_path: Path
) -> None:
    document = local(tmp_path, model=architecture("linear-fails-OutOfMemory-above-4"))
    returned, said = pod.run(document.model_copy(update={"batch_size": 8}), program)
    assert (returned, said.reason) == (ExitCode.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY)
    assert said.message == "the GPU ran out of memory with a batch of 8 pictures"


def test_a_store_that_is_away_ends_with_13(pod: Pod, tmp_path: Path, store: RealStore) -> None:
    store.credentials(pod.mount / "s3" / "artifacts")
    away = {"uri": "s3://models/", "endpoint": f"http://127.0.0.1:{free_port()}"}
    code, said = pod.run(local(tmp_path, artifacts={"s3": away}))
    assert (code, said.reason) == (ExitCode.STORE_UNREACHABLE, Reason.STORE_UNREACHABLE)


def later_attempt_in_s3(pod: Pod, store: RealStore) -> RunDocument:
    """A second attempt of a run whose data and results are in a store."""
    for what in ("dataset", "artifacts"):
        store.credentials(pod.mount / "s3" / what)
    secret = {"endpoint": store.endpoint, "secretRef": {"name": "s3"}}
    document = run_document(
        dataset={"s3": {"uri": "s3://datasets/v1/", **secret}}, artifacts={"s3": {"uri": "s3://models/", **secret}}
    )
    return document.model_copy(update={"attempt": 2})


@pytest.fixture
def own_store(tmp_path: Path) -> RealStore:
    """A store with a data set at v1 that is not running yet."""
    port = free_port()
    store = RealStore(f"http://127.0.0.1:{port}", store_folder(tmp_path / "store"))
    with serve_store(store.folder, port):
        store.put_folder(make_dataset(tmp_path / "made"), "datasets", "v1")
    return store


def wait_for(said: str, process: subprocess.Popen[str]) -> None:
    """Read the log as far as a line with `said`."""
    assert process.stderr is not None
    for line in process.stderr:
        if said in line:
            return
    pytest.fail(f"it never said {said!r}")


def test_a_later_attempt_waits_for_a_store_that_is_away(pod: Pod, own_store: RealStore) -> None:
    process = pod.start(later_attempt_in_s3(pod, own_store))
    wait_for("trying again in", process)
    with serve_store(own_store.folder, int(own_store.endpoint.rpartition(":")[2])):
        _, rest = process.communicate(timeout=60)
    assert (process.returncode, pod.message().reason) == (ExitCode.SUCCESS, Reason.COMPLETED), rest


def test_sigterm_ends_the_wait_for_a_store(pod: Pod, own_store: RealStore) -> None:
    process = pod.start(later_attempt_in_s3(pod, own_store))
    code, _ = pod.stop(process, "trying again in", signal.SIGTERM)
    assert (code, pod.message().reason) == (ExitCode.INTERRUPTED, Reason.INTERRUPTED)


@pytest.mark.parametrize("what", ["dataset", "artifacts"])
@pytest.mark.parametrize("gap", ["the Secret is away", "the Secret is another"])
def test_a_later_attempt_waits_for_its_credentials(pod: Pod, own_store: RealStore, what: str, gap: str) -> None:
    document = later_attempt_in_s3(pod, own_store)
    secret = pod.mount / "s3" / what / "AWS_SECRET_ACCESS_KEY"
    if gap == "the Secret is away":
        secret.unlink()
    else:
        secret.write_text("rotated too early")
    with serve_store(own_store.folder, int(own_store.endpoint.rpartition(":")[2])):
        process = pod.start(document)
        wait_for("trying again in", process)
        own_store.credentials(secret.parent)
        _, rest = process.communicate(timeout=60)
    assert (process.returncode, pod.message().reason) == (ExitCode.SUCCESS, Reason.COMPLETED), rest


def test_sigterm_ends_an_attempt_with_12_and_leaves_nothing_published(pod: Pod, tmp_path: Path) -> None:
    document = local(tmp_path, model=architecture("linear-60000ms"))
    process = pod.start(document)
    assert process.stderr is not None
    for line in process.stderr:
        if "training" in line:
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == ExitCode.INTERRUPTED
    said = pod.message()
    assert said.reason is Reason.INTERRUPTED
    assert "told to stop while training" in said.message
    assert not (tmp_path / "out" / "SHA256SUMS").exists()


def test_something_that_is_no_run_document_ends_with_10(pod: Pod) -> None:
    code, said = pod.run('{"namespace": "vision"}')
    assert (code, said.reason) == (ExitCode.USER_ERROR, Reason.SPEC_INVALID)
    assert "not a run document: name: Field required" in said.message


def test_progress_reaches_the_intake_with_token_and_trust(pod: Pod, tmp_path: Path, intake: RecordingIntake) -> None:
    document = local(tmp_path, model=architecture("linear-400ms")).model_copy(update={"intake": intake.described()})
    code, _ = pod.run(document)
    assert code == ExitCode.SUCCESS
    reports = intake.reports
    assert {authorization for authorization, _ in intake.received} == {"Bearer the-token"}
    assert [r.sequence for r in reports] == sorted({r.sequence for r in reports})
    assert [r.epoch for r in reports] == sorted(r.epoch for r in reports)
    assert {r.epoch for r in reports} == {0, 1, 2, 3}
    assert [r.percent for r in reports] == sorted(r.percent for r in reports)
    assert reports[-1].stage is Stage.FINISHED
    assert reports[-1].artifacts_uri == (tmp_path / "out").as_uri()
    assert any(r.eta_seconds for r in reports if r.stage is Stage.TRAINING)


def test_an_intake_that_is_away_stops_nothing(pod: Pod, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the-token")
    away = Intake(url=f"http://127.0.0.1:{free_port()}", token_file=str(token), interval_seconds=0.5)
    process = pod.start(local(tmp_path).model_copy(update={"intake": away}))
    # The last report is tried for half a minute; the outcome is on disk long before that.
    deadline = time.monotonic() + _QUICK
    while not (pod.root / "termination-log").read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pod.message().reason is Reason.COMPLETED
    process.kill()
    process.wait()


def test_the_last_report_is_tried_again_until_it_is_taken(pod: Pod, tmp_path: Path, intake: RecordingIntake) -> None:
    intake.refuse_first = 5
    code, _ = pod.run(local(tmp_path).model_copy(update={"intake": intake.described()}))
    assert code == ExitCode.SUCCESS
    assert intake.reports[-1].stage is Stage.FINISHED
