"""An identifier's weights, taken as they are. Imports torch."""

from __future__ import annotations

from modelyard_api.face_id import FaceId

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint
from modelyard_trainer.tasks.face_id.network import build
from modelyard_trainer.weights.adopt import adopt, whole
from modelyard_trainer.weights.model import FetchedWeights
from modelyard_trainer.weights.reading import Weights


def adopt_identifier(
    context: TaskContext, block: FaceId, data: CheckedDataset, device: str, notices: tuple[str, ...]
) -> Fit:
    """Leave them as best.pt; the identities must be those of the data set's."""
    spec = context.document.spec
    name, size = spec.model.architecture, spec.training.image_size

    def make(weights: Weights, fetched: FetchedWeights) -> Checkpoint:
        network = build(name, block, len(data.classes), size)
        found = whole(network.state_dict(), weights, fetched, name)
        return Checkpoint(
            architecture=name,
            classes=data.classes,
            image_size=size,
            resize=block.resize.value,
            embedding_size=block.embedding_size,
            head=block.head.value,
            scale=block.logit_scale,
            margin=block.logit_margin,
            epoch=0,
            metrics={},
            weights=found,
        )

    return adopt(context, Checkpoint, make, device=device, classes=data.classes, notices=notices)
