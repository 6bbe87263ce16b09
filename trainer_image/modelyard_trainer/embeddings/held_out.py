"""Open-set verification: how well pairs of individuals that training never saw are told apart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelyard_trainer.embeddings.verification import FALSE_ACCEPTS, MOST_PICTURES, Roc, all_pairs

RATES = (1e-1, 1e-2, 1e-3)
"""False accept rates that are told of."""
_POINTS = 500
"""Of the curve, in the file."""


@dataclass(frozen=True, eq=False)
class Verification:
    """What came of it.

    Attributes:
        pictures: of individuals held out, and `used` of them, of which all pairs were looked at.
        similarities: (pairs,) cosines.
        same: (pairs,) whether each is of one individual.
        roc: None where there are no pairs of both kinds.
    """

    pictures: int = 0
    used: int = 0
    similarities: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    same: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    roc: Roc | None = None

    def metrics(self) -> dict[str, float]:
        """By the names that people know them by; only rates that there are pairs enough for."""
        if self.roc is None:
            return {}
        told = {f"verification/TAR@FAR={rate:g}": self.roc.at(rate)[0] for rate in RATES if self.roc.tells(rate)}
        return {"verification/AUC": self.roc.auc, "verification/EER": self.roc.eer, **told}

    def notices(self) -> tuple[str, ...]:
        """What is not told, and why."""
        if self.roc is None:
            return (
                ("the identities held out have no two pictures of one, so that nothing was verified",)
                if self.pictures
                else ()
            )
        said = [
            f"TAR at FAR {rate:g} is not told: it takes {round(FALSE_ACCEPTS / rate):,} pairs of two identities, and "
            f"those held out make {self.roc.impostor:,}"
            for rate in RATES
            if not self.roc.tells(rate)
        ]
        if self.used < self.pictures:
            said.append(f"pairs were made of {self.used:,} of the {self.pictures:,} pictures of identities held out")
        return tuple(said)

    def write(self, path: Path) -> None:
        """The numbers and the curve, as JSON."""
        roc = self.roc
        assert roc is not None  # noqa: S101 - there is something to write
        places = np.unique(np.linspace(0, len(roc.far) - 1, _POINTS).round().astype(int))[1:]
        content = {
            "pictures": self.used,
            "genuinePairs": roc.genuine,
            "impostorPairs": roc.impostor,
            "auc": roc.auc,
            "eer": roc.eer,
            "tarAtFar": [
                {"far": rate, "tar": roc.at(rate)[0], "threshold": roc.at(rate)[1]}
                if roc.tells(rate)
                else {"far": rate}
                for rate in RATES
            ],
            "roc": {
                "far": roc.far[places].tolist(),
                "tar": roc.tar[places].tolist(),
                "threshold": roc.thresholds[places].tolist(),
            },
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def verification_of(embeddings: NDArray[np.float32], individuals: NDArray[np.int64]) -> Verification:
    """Look at all pairs, or at those of 4,000 pictures spread over all where there are more.

    Args:
        embeddings: (pictures, width), of length 1.
        individuals: (pictures,) whom each shows.
    """
    pictures = len(embeddings)
    used = np.linspace(0, pictures - 1, min(pictures, MOST_PICTURES)).round().astype(int)
    similarities, same = all_pairs(embeddings[used], individuals[used])
    roc = Roc.of(similarities, same) if same.any() and not same.all() else None
    return Verification(pictures, len(used), similarities, same, roc)
