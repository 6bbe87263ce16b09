"""What predictions are worth: numbers made of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of a classifier.

    Attributes:
        confusion: (classes, classes) pictures, true by predicted.
    """

    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of the pictures whose class is right."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that are there or were predicted, as scikit-learn's `f1_score(average="macro")`."""
        f1 = self._f1[self._counted]
        return float(f1.mean()) if len(f1) else 0.0

    def per_class(self, classes: Sequence[str]) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and number of pictures of each class that is there or was predicted."""
        right, predicted, true = self._right, self._predicted, self._true
        return {
            name: {
                "precision": float(right[i] / max(1, predicted[i])),
                "recall": float(right[i] / max(1, true[i])),
                "F1": float(self._f1[i]),
                "pictures": float(true[i]),
            }
            for i, name in enumerate(classes)
            if self._counted[i]
        }

    @property
    def _right(self) -> NDArray[np.int64]:
        return np.diag(self.confusion)

    @property
    def _true(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self.confusion.sum(1)
        return counts

    @property
    def _predicted(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self.confusion.sum(0)
        return counts

    @property
    def _counted(self) -> NDArray[np.bool_]:
        return self._true + self._predicted > 0

    @property
    def _f1(self) -> NDArray[np.float64]:
        f1: NDArray[np.float64] = 2 * self._right / np.maximum(1, self._true + self._predicted)
        return f1
