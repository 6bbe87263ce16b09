"""Two processes that train one detector: killed anywhere and resumed, they equal two that never were, bit for bit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.loop.guard import NOBODY, NOTHING
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint
from modelyard_trainer.tasks.detection.task import DetectionTask

from tests.training.resuming import Reference, undisturbed
from tests.unit.trainer.datasets import make_dataset, run_document

WITHIN, BEFORE_VALIDATION = Position(1, 2), Position(1, 3)
"""Within an accumulation, after one that went over an epoch's end; and after the last batch, which is not full."""
pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "forked_ranks")


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


def test_an_epoch_is_validated_in_batches_of_one_gpu_and_the_evaluation_in_the_same(
    detector: Reference, tmp_path: Path
) -> None:
    from modelyard_trainer.tasks.detection.checkpoint import build_model  # noqa: PLC0415 - ultralytics is prepared
    from modelyard_trainer.tasks.detection.evaluate import examine  # noqa: PLC0415

    context = TaskContext(detector.document, tmp_path, tmp_path, Progress(1, 1, 1), cpus=1, processes=2)
    trainer = DetectionTask(context)._trainer(detector.data, "cpu", tmp_path, watch=NOBODY, guard=NOTHING)
    trainer._setup_train()
    checkpoint = Checkpoint.load(detector.trained.results / BEST)
    examiner = examine(context, detector.data.validation, checkpoint, build_model(checkpoint), "cpu", rect=True)
    for loader in (trainer.test_loader, examiner.dataloader):
        assert loader.dataset.batch_size == 2 * 6 // 2
