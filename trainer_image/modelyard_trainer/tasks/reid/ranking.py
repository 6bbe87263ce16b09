"""How well persons are found again: the places at which the gallery shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modelyard_trainer.dataset.reid import Seen

Distances = NDArray[np.float32]
"""(queries, gallery)."""
_DRAWS = 10
"""Of CUHK03's protocol."""


@dataclass
class Ranking:
    """Counts, query by query, where the gallery shows the person.

    Pictures of the person by the query's own camera do not count (Zheng et al., ICCV 2015), nor do queries whose person
    is nowhere else.

    Args:
        gallery: who was seen where.
        ranks: places within which a person may be found.
        single_shot: count ranks by CUHK03's protocol (Li et al., CVPR 2014), with one picture of each person in the
            gallery, drawn ten times for each query; the average precision is that of all pictures.
    """

    gallery: Seen
    ranks: Sequence[int]
    single_shot: bool = False
    _precisions: list[NDArray[np.float64]] = field(default_factory=list)
    _places: list[NDArray[np.float64]] = field(default_factory=list)
    _queries: int = 0

    def add(self, distances: Distances, persons: NDArray[np.int64], cameras: NDArray[np.int64]) -> None:
        """Some more queries: (n, gallery) distances, and (n,) persons and cameras."""
        order = np.argsort(distances, axis=1, kind="stable")
        same = self.gallery.persons[order] == persons[:, None]
        kept = ~(same & (self.gallery.cameras[order] == cameras[:, None]))
        right = same & kept
        counted = right.any(axis=1)
        place = np.cumsum(kept, axis=1)
        precision = np.where(right, np.cumsum(right, axis=1) / np.maximum(place, 1), 0.0).sum(axis=1)
        self._precisions.append(precision[counted] / right.sum(axis=1)[counted])
        if self.single_shot:
            for row in np.flatnonzero(counted):
                draw = np.random.default_rng(self._queries + int(row))
                shown = order[row][kept[row]]
                self._places.append(_single_shots(self.gallery.persons[shown], int(persons[row]), draw))
        else:
            first = np.where(right, place, distances.shape[1] + 1).min(axis=1)
            self._places.append(first[counted].astype(np.float64)[:, None])
        self._queries += len(distances)

    @property
    def mean_average_precision(self) -> float:
        """The mean over queries of the average precision of their pictures in the gallery."""
        return float(np.concatenate(self._precisions).mean())

    def found_within(self, rank: int) -> float:
        """Share of the queries whose person is among the first `rank` pictures of the gallery, be it as small."""
        shares = [(places <= rank).mean(axis=-1) for places in self._places]
        return float(np.concatenate([np.atleast_1d(share) for share in shares]).mean())

    def metrics(self) -> dict[str, float]:
        """By the names that people know them by."""
        return {"mAP": self.mean_average_precision} | {f"rank{rank}": self.found_within(rank) for rank in self.ranks}


def _single_shots(shown: NDArray[np.int64], person: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """The place of a person in each of ten galleries, of persons in their order, with one picture of each."""
    places = []
    for _ in range(_DRAWS):
        shuffled = draw.permutation(len(shown))
        present, first = np.unique(shown[shuffled], return_index=True)
        chosen = shuffled[first]
        mine = chosen[np.searchsorted(present, person)]
        places.append(float((chosen <= mine).sum()))
    return np.array(places)


def averaged(by_target: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over targets of each metric and, where there are several targets, each target's own."""
    names = list(next(iter(by_target.values())))
    mean = {name: float(np.mean([metrics[name] for metrics in by_target.values()])) for name in names}
    if len(by_target) == 1:
        return mean
    return mean | {
        f"{target}/{name}": value for target, metrics in by_target.items() for name, value in metrics.items()
    }
