"""A trained embedding network as what is exported. Imports torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from modelyard_api.face_id import FaceId
from modelyard_api.pictures import Resize
from torch import Tensor, nn

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.embeddings.subject import TrainedEmbedder
from modelyard_trainer.exports.picking import MOST_JUDGED, strided
from modelyard_trainer.exports.subject import Images, Runner, labels_of
from modelyard_trainer.imaging.squares import as_planes, read_square
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint, build_embedder, build_model
from modelyard_trainer.tasks.face_id.learner import Examiner
from modelyard_trainer.tasks.face_id.network import Identifier
from modelyard_trainer.tasks.face_id.recipe import METRIC, examiner


class TrainedIdentifier(TrainedEmbedder):
    """The embedding network of the published best.pt."""

    metric = METRIC

    def __init__(self, context: TaskContext, block: FaceId, data: CheckedDataset) -> None:
        self._checkpoint = Checkpoint.load(context.results / BEST)
        side = self._checkpoint.image_size
        super().__init__(self._checkpoint.weights, (side, side))
        self._context, self._block = context, block
        self._pictures = strided(data.validation, MOST_JUDGED)
        self.judged = len(self._pictures)

    def network(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """What is deployed: no head."""
        return build_embedder(replace(self._checkpoint, weights=weights))

    def image(self, picture: Picture) -> Images:
        """A square."""
        return as_planes(read_square(picture, self._checkpoint.image_size, Resize(self._checkpoint.resize)))

    def judge(self, run: Runner) -> float:
        """Top-1 of the known identities, by the head that was trained, of these embeddings."""

        def embed(images: Tensor) -> Tensor:
            return torch.from_numpy(run(images.numpy()))

        return self._examiner.examine(self._identifier, embed=embed).top1

    @cached_property
    def _identifier(self) -> Identifier:
        return build_model(self._checkpoint)

    @cached_property
    def _examiner(self) -> Examiner:
        return examiner(self._context, self._block, self._pictures, torch.device("cpu"), workers=0, name="judged")

    def metadata(self, *, dynamic: bool) -> dict[str, str]:
        """What its input must be, and what its output is."""
        del dynamic  # the graph says so itself
        checkpoint = self._checkpoint
        return {
            **self.described(checkpoint, "face-id", checkpoint.resize),
            "labels": labels_of(checkpoint.classes),
            "embedding": json.dumps(
                {
                    "size": checkpoint.embedding_size,
                    "normalised": "L2",
                    "similarity": "cosine",
                    "trainedWith": checkpoint.head,
                }
            ),
        }
