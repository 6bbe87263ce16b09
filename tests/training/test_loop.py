"""Our loop does what ultralytics' own does, number for number, where both are given the same batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.arguments import ultralytics_arguments
from modelyard_trainer.tasks.detection.offline import prepare

from tests.training.trainings import differences
from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.test_dataset_check import check


@pytest.mark.parametrize(
    ("architecture", "optimizer", "schedule"),
    [("yolo26n", "SGD", "cosine"), ("yolov5nu", "AdamW", "linear")],
)
def test_our_loop_is_theirs(architecture: str, optimizer: str, schedule: str, tmp_path: Path) -> None:
    prepare(tmp_path, threads=2)
    from modelyard_trainer.loop.freezing import Freezing  # noqa: PLC0415
    from modelyard_trainer.loop.guard import Guard, Watch  # noqa: PLC0415
    from modelyard_trainer.tasks.detection.state import capture  # noqa: PLC0415 - only after `prepare`
    from modelyard_trainer.tasks.detection.trainer import YardTrainer  # noqa: PLC0415
    from ultralytics.engine.trainer import BaseTrainer  # noqa: PLC0415

    class Theirs(YardTrainer):
        """Trains in ultralytics' loop, on our batches; nothing is written."""

        def _do_train(self) -> None:
            self.add_callback(
                "on_train_epoch_start", lambda trainer: trainer.train_loader._places.begin(trainer.epoch, 0)
            )
            BaseTrainer._do_train(self)

        def save_model(self) -> bool:
            return True

        def save_metrics(self, metrics: object) -> None:
            pass

        def final_eval(self) -> None:
            pass

    document = run_document(
        model={"architecture": architecture},
        training={
            "epochs": 3,
            "batchSize": 4,
            "gradientAccumulation": 2,
            "imageSize": 64,
            "optimizer": {"name": optimizer, "learningRate": 5e-3},
            "schedule": {"name": schedule, "warmupEpochs": 1.5, "finalFraction": 0.1},
            "seed": 1,
        },
        detection={"augment": {"closeMosaic": 0, "mixup": 0.3}},
    )
    data = check(make_dataset(tmp_path / "data", pictures=23))
    arguments = ultralytics_arguments(document, find_architecture(architecture).file, "cpu")
    watch = Watch(lambda _epoch, _step, _steps, _losses: None, lambda _epoch, _metrics, _best, _weights: None)
    guard = Guard(asked=lambda: False, due=lambda _position: False, keep=lambda _position, _numbers: None)
    ended: dict[str, Any] = {}
    for kind in (Theirs, YardTrainer):
        trainer = kind(
            {**arguments, "project": str(tmp_path / kind.__name__)},
            data.classes,
            data.training,
            data.validation,
            watch=watch,
            guard=guard,
            freezing=lambda model: Freezing(model, (), 0),
            streams=1,
            at_once=4,
        )
        trainer.train()
        ended[kind.__name__] = capture(trainer) | {"metrics": trainer.metrics, "rate": trainer.lr}
    ours, theirs = ended["YardTrainer"], ended["Theirs"]
    for kept_by_us_alone in ("pending", "losses", "stop"):
        ours.pop(kept_by_us_alone), theirs.pop(kept_by_us_alone)
    assert ours["ema_updates"] > 8
    assert not differences(ours, theirs)
