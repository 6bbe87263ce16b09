"""`python -m modelyard_trainer` stopped in every way there is, and the next process that goes on from where it was."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard_api.outcome import ExitCode, Reason
from modelyard_api.run_document import RunDocument
from modelyard_trainer.files import sha256

from tests.unit.trainer.conftest import RealStore
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.intake import RecordingIntake
from tests.unit.trainer.pod import Pod

EPOCHS = 12
TRAINING = {"epochs": EPOCHS, "batchSize": 2, "schedule": {"warmupEpochs": 0}, "seed": 1}


def document(tmp_path: Path, attempt: int = 1, *, linear: str = "linear-300ms", **changes: object) -> RunDocument:
    """A training of twelve short epochs of four batches."""
    data = tmp_path / "dataset"
    if not data.exists():
        make_dataset(data)
    made = run_document(
        **{
            "dataset": {"path": str(data)},
            "artifacts": {"path": str(tmp_path / "out")},
            "model": {"architecture": linear},
            "training": TRAINING,
            "checkpoints": {"every": "1s"},
            **changes,
        }
    )
    return made.model_copy(update={"attempt": attempt, "batch_size": 2})


def pod_of(tmp_path: Path, attempt: int) -> Pod:
    root = tmp_path / f"pod-{attempt}"
    root.mkdir()
    return Pod(root, f"pod-uid-{attempt}")


def epochs_of(results: Path) -> list[list[str]]:
    """The rows of metrics.csv without the seconds."""
    with (results / "metrics.csv").open() as file:
        return [[cell for number, cell in enumerate(row) if number != 1] for row in csv.reader(file)]


def same_training(left: Path, right: Path) -> None:
    """Fail unless two runs had the same losses and metrics in every epoch and the same weights at the end."""
    assert epochs_of(left) == epochs_of(right)
    for name in ("last.npz", "best.npz"):
        with np.load(left / name) as one, np.load(right / name) as other:
            assert np.array_equal(one["weights"], other["weights"]), name


@pytest.fixture
def uninterrupted(tmp_path: Path) -> Callable[[], Path]:
    """The results of the same training, never stopped."""

    def train() -> Path:
        out = tmp_path / "uninterrupted"
        made = document(tmp_path, linear="linear", artifacts={"path": str(out)})
        code, message = pod_of(tmp_path, 99).run(made)
        assert code == ExitCode.SUCCESS, message
        return out

    return train


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, ExitCode.INTERRUPTED), (signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGKILL, -9)],
)
def test_a_run_that_is_stopped_goes_on_and_ends_as_if_nothing_had_happened(
    number: signal.Signals, code: int, tmp_path: Path, uninterrupted: Callable[[], Path]
) -> None:
    first = pod_of(tmp_path, 1)
    returned, said = first.stop(first.start(document(tmp_path)), "is safe", number)
    assert returned == code, said
    if number != signal.SIGKILL:
        message = first.message()
        assert message.reason is Reason.INTERRUPTED
        assert message.checkpoint is not None
        assert message.checkpoint.step, "it stops after the running batch, not at the end of the epoch"
        assert f"the checkpoint of epoch {message.checkpoint.epoch + 1}, batch {message.checkpoint.step} is safe" in (
            message.message
        )
    second = pod_of(tmp_path, 2)
    returned, message = second.run(document(tmp_path, 2, linear="linear"))
    assert returned == ExitCode.SUCCESS, message
    assert message.resumed_from_epoch is not None
    assert message.resumed_from_epoch >= 1
    same_training(tmp_path / "out", uninterrupted())
    record = json.loads((tmp_path / "out" / "run.json").read_text())["checkpoints"]
    assert record["resumedFrom"]["epoch"] == message.resumed_from_epoch
    assert "this attempt began" in (tmp_path / "out" / "report.html").read_text()


def test_reports_name_the_checkpoint_and_where_the_attempt_went_on(
    tmp_path: Path, store: RealStore, prefix: str
) -> None:
    secret = {"endpoint": store.endpoint, "secretRef": {"name": "s3"}}
    place: dict[str, Any] = {"artifacts": {"s3": {"uri": f"s3://models/{prefix}/", **secret}}}
    first, second = pod_of(tmp_path, 1), pod_of(tmp_path, 2)
    for pod in (first, second):
        store.credentials(pod.mount / "s3" / "artifacts")
    code, said = first.stop(first.start(document(tmp_path, **place)), "is safe", signal.SIGTERM)
    assert code == ExitCode.INTERRUPTED, said
    with RecordingIntake(tmp_path / "intake") as intake:
        going_on = document(tmp_path, 2, **place).model_copy(update={"intake": intake.described()})
        code, message = second.run(going_on)
        assert code == ExitCode.SUCCESS, message
        reports = intake.reports
    resumed = first.message().checkpoint
    assert resumed is not None
    assert resumed.uri.startswith(f"s3://models/{prefix}/vision/run/uid-1/pod-uid-1/checkpoints/e")
    assert any(report.checkpoint == resumed for report in reports)
    training = [report for report in reports if report.resumed_from_epoch is not None]
    assert {report.resumed_from_epoch for report in training} == {resumed.epoch}
    assert [report.epoch for report in training] == sorted(report.epoch for report in training)
    # Where the checkpoint was of an epoch's last batch, the first report may tell of the next one already.
    assert min(report.epoch for report in training) >= resumed.epoch
    assert reports[-1].checkpoint is not None
    assert reports[-1].checkpoint.epoch == EPOCHS
    kept = [key for key in store.keys("models", prefix) if "/checkpoints/" in key and key.endswith("0.json")]
    assert len(kept) <= 2


def test_who_presses_ctrl_c_twice_does_not_wait_for_a_checkpoint_that_cannot_be_kept(tmp_path: Path) -> None:
    pod = pod_of(tmp_path, 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".checkpoints").write_text("a file where the folder would be")
    process = pod.start(document(tmp_path))
    began = time.monotonic()
    code, said = pod.stop(process, "is tried again", signal.SIGINT, signal.SIGINT)
    assert code == ExitCode.INTERRUPTED, said
    assert "there is no checkpoint yet" in pod.message().message
    assert time.monotonic() - began < 20


def test_a_signal_while_a_failed_attempt_saves_its_last_checkpoint_changes_nothing(tmp_path: Path) -> None:
    pod = pod_of(tmp_path, 1)
    blocked = tmp_path / "out" / ".checkpoints"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder would be")
    failing = document(tmp_path, linear="linear-fails-Diverged-at-3", checkpoints={"everyEpochs": 1})
    process = pod.start(failing)
    assert process.stderr is not None
    for line in process.stderr:
        if "brought to safety" in line:
            break
    process.send_signal(signal.SIGTERM)
    for line in process.stderr:
        if "got SIGTERM" in line:
            break
    blocked.unlink()
    _, said = process.communicate(timeout=30)
    message = pod.message()
    assert (process.returncode, message.reason) == (ExitCode.DIVERGED, Reason.DIVERGED), said
    assert message.checkpoint is not None
    assert message.checkpoint.epoch == 2


def until_it_catches(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    """Until then it is the kernel that answers: it ends any other process, and drops the signal of its PID 1."""
    caught = 1 << (number - 1)
    status = Path(f"/proc/{process.pid}/status")
    while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & caught:
        assert process.poll() is None


def test_signals_are_caught_before_anything_large_is_imported() -> None:
    program = "import modelyard_trainer.interruption, sys; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_a_signal_at_any_moment_of_the_beginning_ends_with_12(delay: float, tmp_path: Path) -> None:
    pod = pod_of(tmp_path, 1)
    process = pod.start(document(tmp_path, attempt=3))
    until_it_catches(signal.SIGTERM, process)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert (pod.message().reason, pod.message().attempt) == (Reason.INTERRUPTED, 3)


SIGNALLED = """
import os, signal, sys
from modelyard_trainer import destination
before = destination.{name}
def during(*arguments):
    result = before(*arguments)
    if arguments[0].name == "{file}":
        os.kill(os.getpid(), signal.SIGTERM)
    return result
destination.{name} = during
from modelyard_trainer.process import leave, main
leave(main(sys.argv[1:]))
"""
"""A trainer that gets SIGTERM once it has done something to a certain file."""


def test_a_run_that_is_published_is_complete_whatever_signal_comes_then(tmp_path: Path) -> None:
    program = ("-c", SIGNALLED.format(name="write_atomically", file="SHA256SUMS"))
    code, message = pod_of(tmp_path, 1).run(document(tmp_path, linear="linear"), program)
    assert (code, message.reason) == (ExitCode.SUCCESS, Reason.COMPLETED)
    assert message.checksums_sha256 == sha256(tmp_path / "out" / "SHA256SUMS")


def test_a_run_that_is_stopped_while_it_copies_leaves_the_folder_to_the_next(tmp_path: Path) -> None:
    program = ("-c", SIGNALLED.format(name="sha256", file="run.json"))
    code, message = pod_of(tmp_path, 1).run(document(tmp_path, linear="linear"), program)
    assert (code, message.reason) == (ExitCode.INTERRUPTED, Reason.INTERRUPTED)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".checkpoints"]
    code, message = pod_of(tmp_path, 2).run(document(tmp_path, 2, linear="linear"))
    assert code == ExitCode.SUCCESS, message
    assert message.resumed_from_epoch == EPOCHS


def test_on_a_computer_of_ones_own_the_same_command_goes_on(tmp_path: Path) -> None:
    make_dataset(tmp_path / "dataset")
    manifest = tmp_path / "run.yaml"
    made = document(tmp_path)
    run = {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "digits"},
        "spec": made.spec.to_json_object(),
    }
    manifest.write_text(json.dumps(run))
    pod = pod_of(tmp_path, 1)
    command = [sys.executable, "-c", "from modelyard_cli.main import main; main()", "train", str(manifest)]
    environment = {**pod.variables(), "PYTHONUNBUFFERED": "1"}
    environment.pop("MODELYARD_POD_UID")
    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    checkpoints = tmp_path / "out" / ".checkpoints"
    until = time.monotonic() + 30
    while not list(checkpoints.rglob("e*-s??????.json")) and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=30)
    assert first.returncode == ExitCode.INTERRUPTED, said
    assert "the same command goes on from epoch" in " ".join(said.split())
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == ExitCode.SUCCESS, second.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["checkpoints"]["resumedFrom"]["epoch"] >= 1
    assert not checkpoints.exists()
