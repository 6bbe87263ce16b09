"""A classifier's weights, taken as they are. Imports torch."""

from __future__ import annotations

from modelyard_api.classification import Classification

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.classification.architecture import build
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint
from modelyard_trainer.weights.adopt import adopt, whole
from modelyard_trainer.weights.model import FetchedWeights
from modelyard_trainer.weights.reading import Weights


def adopt_classifier(
    context: TaskContext, block: Classification, data: CheckedDataset, device: str, notices: tuple[str, ...]
) -> Fit:
    """Leave them as best.pt. A state dict of timm's own names is one too, if it has the data set's classes."""
    spec = context.document.spec
    name, size = spec.model.architecture, spec.training.image_size

    def make(weights: Weights, fetched: FetchedWeights) -> Checkpoint:
        network = build(name, len(data.classes), size).backbone
        tensors = whole(network.state_dict(), weights, fetched, name)
        return Checkpoint(name, data.classes, size, block.resize.value, 0, {}, tensors)

    return adopt(context, Checkpoint, make, device=device, classes=data.classes, notices=notices)
