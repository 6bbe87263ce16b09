"""Which of a detector's layers are not trained. Imports torch."""

from __future__ import annotations

from typing import Any

from modelyard_api.spec import Training

from modelyard_trainer.loop.freezing import Freezing, Stages, freezing_of
from modelyard_trainer.tasks.detection.architecture import Architecture


def detector_freezing(training: Training, architecture: Architecture, model: Any) -> Freezing:
    """What the settings freeze of a `DetectionModel`. Its layers are counted as ultralytics counts them.

    Raises:
        RunError: SpecInvalid; there are fewer layers than are to be frozen.
    """
    backbone = len(model.yaml["backbone"])
    return freezing_of(training, model, layers(model), backbone=backbone, name=architecture.name)


def layers(model: Any) -> Stages:
    """The parameters of every layer but the last one, which is the head; some layers have none."""
    count = len(model.model) - 1
    names = [name for name, _ in model.named_parameters()]
    return tuple(tuple(name for name in names if name.startswith(f"model.{layer}.")) for layer in range(count))
