"""Attempts in processes of their own that do not end well."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from modelyard_api.outcome import TerminationMessage
from modelyard_api.run_document import RunDocument
from modelyard_trainer.tasks.detection.offline import prepare

from examples.digits import make_folders
from tests.unit.trainer.datasets import make_dataset, run_document

BATCH = 8


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What takes seconds, so that no forked attempt has to."""
    prepare(tmp_path_factory.mktemp("ultralytics"), threads=1)
    for name in ("classification.recipe", "classification.evaluate", "detection.trainer", "detection.evaluate"):
        importlib.import_module(f"modelyard_trainer.tasks.{name}")


def classification(folder: Path) -> dict[str, Any]:
    """Digits, 23 of them to train on."""
    make_folders.make(folder, images=29, size=32)
    return {
        "task": "classification",
        "dataset": {"path": str(folder), "format": "image-folder"},
        "model": {"architecture": "test_resnet"},
    }


def detection(folder: Path) -> dict[str, Any]:
    """Cats and dogs."""
    return {"dataset": {"path": str(make_dataset(folder, pictures=20))}, "model": {"architecture": "yolov5nu"}}


def first_attempt(task: dict[str, Any], out: Path, **training: Any) -> RunDocument:
    """An attempt with a batch of 8 that keeps a checkpoint of every epoch."""
    asked = {"batchSize": BATCH, "imageSize": 32, "schedule": {"warmupEpochs": 0}, "seed": 1, **training}
    places = {"artifacts": {"path": str(out)}, "resources": {"gpus": 0}, "checkpoints": {"everyEpochs": 1}}
    return run_document(**task, **places, training=asked).model_copy(update={"batch_size": BATCH})


def last_words(attempt: Path) -> TerminationMessage:
    """The termination message that an attempt has left in its folder."""
    return TerminationMessage.model_validate_json((attempt / "termination-log").read_bytes())


def said(attempt: Path) -> str:
    """Its log."""
    return (attempt / "log").read_text()
