"""A trained embedding network as what is exported: the classifier is not. Imports torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from modelyard_api.reid import Reid
from torch import Tensor, nn

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.dataset.reid import ReidDataset, Seen, Target
from modelyard_trainer.embeddings.subject import TrainedEmbedder, largest_distance
from modelyard_trainer.exports.picking import MOST_JUDGED, strided
from modelyard_trainer.exports.subject import Images, Output, Runner
from modelyard_trainer.imaging.squares import as_planes, read_square
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.reid.finder import Finder
from modelyard_trainer.tasks.reid.ranking import averaged
from modelyard_trainer.tasks.reid.recipe import RESIZE, finder_of


class TrainedReidentifier(TrainedEmbedder):
    """The embedding network of the published best.pt."""

    def __init__(self, context: TaskContext, block: Reid, data: ReidDataset) -> None:
        self._checkpoint = Checkpoint.load(context.results / BEST)
        super().__init__(self._checkpoint.weights, (self._checkpoint.height, self._checkpoint.width))
        self._context, self._block = context, block
        self._targets = [some_persons(target, MOST_JUDGED // len(data.targets)) for target in data.targets]
        self.metric = block.metric.value
        self.judged = sum(len(each.query.pictures) + len(each.gallery.pictures) for each in self._targets)

    def network(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """What is deployed."""
        return build_model(replace(self._checkpoint, weights=weights))

    def image(self, picture: Picture) -> Images:
        """A picture of a person, made to the network's size."""
        return as_planes(read_square(picture, self.size, RESIZE))

    def difference(self, one: Output, other: Output, images: Images) -> float:
        """Largest distance of two embeddings as a share of their mean length, which is 1 only for the cosine.

        Their own would be 0 where OSNet's last ReLU lets nothing through.
        """
        del images
        length = float(np.linalg.norm(other, axis=1).mean()) or 1.0
        return largest_distance(one / length, other / length)

    def judge(self, run: Runner) -> float:
        """How well the persons of the targets, or of so many of them, are found by these embeddings."""

        def embed(images: Tensor) -> Tensor:
            return torch.from_numpy(run(images.numpy()))

        return averaged({each.target.name: each.measure(embed) for each in self._finders})[self.metric]

    @cached_property
    def _finders(self) -> tuple[Finder, ...]:
        return tuple(
            finder_of(self._context, self._block, target, "cpu", workers=0, name=f"judged{number}")
            for number, target in enumerate(self._targets)
        )

    def metadata(self, *, dynamic: bool) -> dict[str, str]:
        """What its input must be, and how its output is compared."""
        del dynamic  # the graph says so itself
        checkpoint, unit = self._checkpoint, self._checkpoint.distance == "cosine"
        return {
            **self.described(checkpoint, "reid", RESIZE.value),
            "embedding": json.dumps({"normalised": "L2" if unit else "none", "distance": checkpoint.distance}),
        }


def some_persons(target: Target, most: int) -> Target:
    """A target, or all pictures of as many of its persons as make about `most`: half of a person's would not count."""
    persons = np.unique(target.query.persons)
    total = sum(int(np.isin(side.persons, persons).sum()) for side in (target.query, target.gallery))
    if len(target.query.pictures) + len(target.gallery.pictures) <= most:
        return target
    chosen = strided(persons.tolist(), max(2, len(persons) * most // total))

    def part(seen: Seen) -> Seen:
        kept = np.flatnonzero(np.isin(seen.persons, chosen))
        pictures = tuple(seen.pictures[each] for each in kept)
        return Seen(pictures, seen.persons[kept], seen.cameras[kept], seen.sources[kept])

    return Target(target.name, part(target.query), part(target.gallery))
