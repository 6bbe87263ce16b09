"""A trained classifier as what is exported. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from modelyard_api.classification import Classification
from modelyard_api.pictures import Resize
from torch import Tensor, nn

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.exports.picking import MOST_JUDGED, strided
from modelyard_trainer.exports.subject import Images, Runner, Subject, labels_of
from modelyard_trainer.imaging.squares import as_planes, read_square
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.classification.learner import Examiner
from modelyard_trainer.tasks.classification.recipe import examiner


class TrainedClassifier(Subject):
    """The published best.pt: from pictures between 0 and 1 to logits (batch, classes)."""

    output = "logits"

    def __init__(self, context: TaskContext, block: Classification, data: CheckedDataset) -> None:
        self._checkpoint = Checkpoint.load(context.results / BEST)
        side = self._checkpoint.image_size
        super().__init__(self._checkpoint.weights, (side, side))
        self._context, self._block = context, block
        self._pictures = strided(data.validation, MOST_JUDGED)
        self.metric, self.judged = block.metric.value, len(self._pictures)

    def network(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The classifier with its normalisation."""
        return build_model(replace(self._checkpoint, weights=weights))

    def image(self, picture: Picture) -> Images:
        """What is looked at, as a square."""
        return as_planes(read_square(picture, self._checkpoint.image_size, Resize(self._checkpoint.resize)))

    def judge(self, run: Runner) -> float:
        """The metric that epochs are compared by."""
        found = self._examiner.examine(lambda images: torch.from_numpy(run(images.numpy())))
        return found.metrics()[self.metric]

    @cached_property
    def _examiner(self) -> Examiner:
        classes = len(self._checkpoint.classes)
        return examiner(
            self._context, self._block, self._pictures, classes, torch.device("cpu"), workers=0, name="judged"
        )

    def metadata(self, *, dynamic: bool) -> dict[str, str]:
        """Its labels, and what its input must be."""
        del dynamic  # the graph says so itself
        checkpoint, table = self._checkpoint, self._block.table
        region: dict[str, object] = {}
        if table is not None and table.roi is not None:
            region = {"region": {"name": table.roi.region, "padding": table.roi.padding}}
        return {
            **self.described(checkpoint, "classification", checkpoint.resize, **region),
            "labels": labels_of(checkpoint.classes),
        }
