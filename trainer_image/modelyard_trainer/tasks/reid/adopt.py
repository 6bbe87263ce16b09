"""A re-identification network's weights, taken as they are. Imports torch."""

from __future__ import annotations

from modelyard_api.reid import Distance, Reid

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.reid.architecture import build
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint
from modelyard_trainer.weights.adopt import adopt, whole
from modelyard_trainer.weights.model import FetchedWeights
from modelyard_trainer.weights.reading import Weights

_CLASSIFIER = "classifier.weight"


def adopt_reidentifier(
    context: TaskContext, block: Reid, data: CheckedDataset, device: str, notices: tuple[str, ...]
) -> Fit:
    """Leave them as best.pt. Embeddings tell apart whom nobody has trained on, so the persons need not be the same."""
    name = context.document.spec.model.architecture

    def make(weights: Weights, fetched: FetchedWeights) -> Checkpoint:
        rows = (len(tensor) for each, tensor in weights.tensors.items() if each.endswith(_CLASSIFIER))
        persons = next(rows, len(data.classes))
        unit = block.distance is Distance.COSINE
        network = build(name, persons, normalize=block.normalize, unit=unit).backbone
        return Checkpoint(
            architecture=name,
            classes=data.classes if persons == len(data.classes) else tuple(map(str, range(persons))),
            height=block.height,
            width=block.width,
            normalize=block.normalize,
            distance=block.distance.value,
            epoch=0,
            metrics={},
            weights=whole(network.state_dict(), weights, fetched, name),
        )

    return adopt(context, Checkpoint, make, device=device, classes=None, notices=notices)
