"""Whether two pictures show the same individual, told by the similarity of their embeddings, and how well.

Rates are those of face verification: FAR, the share of pairs of two individuals that are accepted, and TAR, the share
of pairs of one individual that are (ISO/IEC 19795-1 calls them false match rate and 1 - false non-match rate).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FALSE_ACCEPTS = 10
"""How many pairs a rate must let through by mistake to be told: fewer say next to nothing of it."""
MOST_PICTURES = 4000
"""Of how many pictures all pairs are looked at: 8 million of them."""


@dataclass(frozen=True, eq=False)
class Roc:
    """The receiver operating characteristic: what each threshold lets through.

    Attributes:
        far, tar: (n,) rates at each threshold, rising, from (0, 0) to (1, 1).
        thresholds: (n,) similarities from which on pairs are accepted, falling; the first is infinite.
        genuine, impostor: pairs of one individual, and of two.
    """

    far: Floats
    tar: Floats
    thresholds: Floats
    genuine: int
    impostor: int

    @classmethod
    def of(cls, similarities: NDArray[np.floating], same: NDArray[np.bool_]) -> Roc:
        """Of (pairs,) similarities, and whether each is of one individual; there must be pairs of both kinds."""
        order = np.argsort(-similarities, kind="stable")
        scores, genuine = similarities[order], same[order]
        last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of all that are equally similar
        accepted = np.cumsum(genuine)[last]
        total = int(genuine.sum())
        impostor = len(scores) - total
        return cls(
            far=np.append(0.0, (last + 1 - accepted) / impostor),
            tar=np.append(0.0, accepted / total),
            thresholds=np.append(np.inf, scores[last].astype(np.float64)),
            genuine=total,
            impostor=impostor,
        )

    @cached_property
    def auc(self) -> float:
        """Area under the curve: how often a pair of one individual is more similar than one of two."""
        return float(np.trapezoid(self.tar, self.far))

    @cached_property
    def eer(self) -> float:
        """Equal error rate: where as many are let through by mistake as are turned away by mistake."""
        gap = self.far + self.tar - 1  # rises from -1 to 1
        after = int(np.argmax(gap >= 0))
        before = after - 1
        share = -gap[before] / (gap[after] - gap[before])
        return float(self.far[before] + share * (self.far[after] - self.far[before]))

    def tells(self, far: float) -> bool:
        """Whether there are pairs enough to say what happens at this rate."""
        return self.impostor * far >= FALSE_ACCEPTS * (1 - 1e-9)

    def at(self, far: float) -> tuple[float, float]:
        """The highest TAR whose FAR is at most this, and its threshold."""
        place = int(np.searchsorted(self.far, far * (1 + 1e-12), side="right")) - 1
        return float(self.tar[place]), float(self.thresholds[place])


def all_pairs(
    embeddings: NDArray[np.float32], individuals: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The cosine of each pair of pictures, and whether it is of one individual.

    Args:
        embeddings: (pictures, width), of length 1.
        individuals: (pictures,) whom each shows.
    """
    one, other = np.triu_indices(len(embeddings), k=1)
    return (embeddings @ embeddings.T)[one, other], individuals[one] == individuals[other]
