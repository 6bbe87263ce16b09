"""Looks for persons in a gallery, as a network sees them. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from modelyard_api.reid import Reid, Reranking
from torch import Tensor

from modelyard_trainer.dataset.reid import Target
from modelyard_trainer.embeddings.extract import Extractor
from modelyard_trainer.tasks.reid.ranking import Distances, Ranking
from modelyard_trainer.tasks.reid.reranking import reranked

_QUERIES = 256
"""At once: a gallery of 16,000 pictures then takes 16 MB."""


@dataclass(frozen=True, eq=False)
class Finder:
    """Measures how well a network finds the persons of a target.

    Args:
        target: who is looked for, and where.
        extractor: of its query's pictures and then its gallery's.
        block: how is counted.
    """

    target: Target
    extractor: Extractor
    block: Reid

    def embed(
        self, model: Callable[[Tensor], Tensor], heed: Callable[[], None] = lambda: None
    ) -> tuple[Tensor, Tensor]:
        """The embeddings of query and gallery, of a network in evaluation mode; `heed` is called before each batch."""
        embeddings = self.extractor.embed(model, heed)
        queries = len(self.target.query.pictures)
        return embeddings[:queries], embeddings[queries:]

    def measure(self, model: Callable[[Tensor], Tensor], heed: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The metrics of a network in evaluation mode, in whichever form."""
        queries, gallery = self.embed(model, heed)
        return self.counted(distances_of(queries, gallery))

    def counted(self, distances: Iterator[Distances]) -> dict[str, float]:
        """The metrics that distances of the queries from the gallery make, in their order."""
        ranking = Ranking(self.target.gallery, self.block.ranks, self.block.use_metric_cuhk03)
        start = 0
        for each in distances:
            part = slice(start, start + len(each))
            ranking.add(each, self.target.query.persons[part], self.target.query.cameras[part])
            start += len(each)
        return ranking.metrics()

    def close(self) -> None:
        """End the loader's processes."""
        self.extractor.close()


def distances_of(queries: Tensor, gallery: Tensor) -> Iterator[Distances]:
    """Euclidean distances, (at most 256, gallery) at a time; those of unit vectors order them as their cosines do."""
    for start in range(0, len(queries), _QUERIES):
        part = queries[start : start + _QUERIES]
        distances: Distances = torch.cdist(part, gallery).cpu().numpy()
        yield distances


def reranked_distances(queries: Tensor, gallery: Tensor, asked: Reranking) -> Distances:
    """(queries, gallery) distances after re-ranking."""
    between, among, within = (
        np.concatenate(list(distances_of(*pair)))
        for pair in ((queries, gallery), (queries, queries), (gallery, gallery))
    )
    return reranked(between, among, within, k1=asked.k1, k2=asked.k2, original=asked.original)
