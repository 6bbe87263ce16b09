"""A real detector that is stopped, and the next process that goes on with it: each all that a pod runs."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import ExitCode, Reason
from modelyard_api.run_document import RunDocument

from tests.training.attempts import last_words, said
from tests.training.trainings import forked
from tests.unit.trainer.datasets import make_dataset, run_document

pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "imported")
EPOCHS = 4


def document(out: Path, data: Path, attempt: int) -> RunDocument:
    """Four epochs of eight batches."""
    made = run_document(
        dataset={"path": str(data)},
        artifacts={"path": str(out)},
        model={"architecture": "yolov5nu"},
        training={
            "epochs": EPOCHS,
            "batchSize": 2,
            "imageSize": 64,
            "schedule": {"warmupEpochs": 1},
            "seed": 7,
        },
        resources={"gpus": 0},
        checkpoints={"everyEpochs": 1},
    )
    return made.model_copy(update={"attempt": attempt, "batch_size": 2})


def rows(out: Path) -> list[list[str]]:
    """metrics.csv without the seconds."""
    return [
        [cell for number, cell in enumerate(row) if number != 1] for row in csv.reader((out / "metrics.csv").open())
    ]


def weights(out: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(out / name, weights_only=True)
    return content["state_dict"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "pictures", pictures=20)


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, data: Path, one_cpu_and_every_batch_counts: None, imported: None
) -> Path:
    """Where the same training lies that was never stopped."""
    root = tmp_path_factory.mktemp("uninterrupted")
    assert forked(root / "only", document(root / "out", data, 1)) == ExitCode.SUCCESS, said(root / "only")
    return root / "out"


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_a_detector_that_is_stopped_is_trained_to_the_same_weights(
    number: signal.Signals, tmp_path: Path, data: Path, uninterrupted: Path
) -> None:
    out, first, second = tmp_path / "out", tmp_path / "first", tmp_path / "second"
    code = forked(first, document(out, data, 1), kill_after="checkpoint of epoch 1 is safe", kill_with=number)
    if number == signal.SIGTERM:
        assert code == ExitCode.INTERRUPTED, said(first)
        message = last_words(first)
        assert message.reason is Reason.INTERRUPTED
        assert message.checkpoint is not None
        assert (message.checkpoint.epoch, message.checkpoint.step) > (1, 0)
    else:
        assert code == -signal.SIGKILL
    assert forked(second, document(out, data, 2)) == ExitCode.SUCCESS, said(second)
    message = last_words(second)
    assert message.resumed_from_epoch is not None
    assert 1 <= message.resumed_from_epoch < EPOCHS
    assert rows(out) == rows(uninterrupted)
    for name in ("best.pt", "last.pt"):
        one, other = weights(out, name), weights(uninterrupted, name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    record = json.loads((out / "run.json").read_text())
    assert record["checkpoints"]["resumedFrom"]["epoch"] == message.resumed_from_epoch
