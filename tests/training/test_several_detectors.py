"""Two processes that train one detector: killed anywhere and resumed, they equal two that never were, bit for bit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.detection.task import DetectionTask

from tests.training.resuming import Reference, undisturbed
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.ranked import forking

WITHIN, BEFORE_VALIDATION = Position(1, 2), Position(1, 3)
"""Within an accumulation, after one that went over an epoch's end; and after the last batch, which is not full."""
pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "forked_ranks")


@pytest.fixture(scope="module")
def forked_ranks() -> Iterator[None]:
    with forking():
        yield


@pytest.fixture(scope="module")
def room_for_one_cache() -> Iterator[None]:
    """On the disk, where the first rank puts it."""
    first, usage = os.getpid(), shutil.disk_usage

    def left(folder: Path) -> object:
        return usage(folder) if os.getpid() == first else usage(folder)._replace(free=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", left)
        yield


@pytest.fixture(scope="module")
def detector(
    tmp_path_factory: pytest.TempPathFactory,
    one_cpu_and_every_batch_counts: None,
    forked_ranks: None,
    room_for_one_cache: None,
) -> Reference:
    document = run_document(
        dataset={"path": str(make_dataset(tmp_path_factory.mktemp("data") / "set", pictures=21))},
        model={"architecture": "yolov5nu"},
        training={
            "epochs": 2,
            "batchSize": 6,
            "gradientAccumulation": 2,
            "imageSize": 64,
            "optimizer": {"name": "SGD", "learningRate": 1e-2},
            "schedule": {"warmupEpochs": 0},
            "seed": 3,
            "cache": "disk",
            "freeze": 2,
            "freezeEpochs": 1,
        },
        detection={"augment": {"mosaic": 0.8, "closeMosaic": 1, "mixup": 0.5}},
    )
    document = document.model_copy(update={"batch_size": document.spec.training.batch_size})
    found = undisturbed(
        DetectionTask, document, tmp_path_factory.mktemp("reference"), [WITHIN, BEFORE_VALIDATION], processes=2
    )
    assert len(found.data.training) == 6 + 6 + 5
    return found


@pytest.mark.parametrize("position", [WITHIN, BEFORE_VALIDATION], ids=["within an accumulation", "before a validation"])
def test_a_resumed_detector_equals_one_that_was_never_killed(
    detector: Reference, position: Position, tmp_path: Path
) -> None:
    detector.assert_resumes(position, tmp_path, workers=0)
