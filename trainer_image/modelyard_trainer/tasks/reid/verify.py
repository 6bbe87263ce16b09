"""Whether an exported embedding network says the same as PyTorch. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.embeddings.verify import verify_embedder
from modelyard_trainer.imaging.squares import as_planes, read_square
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext, Verified
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.reid.recipe import RESIZE
from modelyard_trainer.tasks.verifying import spread


def verify(context: TaskContext, data: CheckedDataset, exports: Sequence[ExportedFile]) -> tuple[Verified, ...]:
    """Run each file and best.pt on the same pictures of the targets and compare the embeddings."""
    checkpoint = Checkpoint.load(context.results / BEST)
    size = (checkpoint.height, checkpoint.width)
    images = np.stack([as_planes(read_square(picture, size, RESIZE)) for picture in spread(data.validation)])
    return verify_embedder(context, exports, build_model(checkpoint), images)
