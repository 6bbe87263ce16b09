"""A trained embedding network as what is exported. Imports torch."""

from __future__ import annotations

import numpy as np

from modelyard_trainer.exports.subject import Images, Output, Subject


class TrainedEmbedder(Subject):
    """From pictures between 0 and 1 to embeddings (batch, width), each of length 1.

    A task says which network and pictures these are, what stands in its files, and what its embeddings are worth.
    """

    output = "embeddings"

    def difference(self, one: Output, other: Output, images: Images) -> float:
        """Largest Euclidean distance of two embeddings: no similarity to any third differs by more."""
        del images
        return largest_distance(one, other)


def largest_distance(one: Output, other: Output) -> float:
    """Of two embeddings of the same pictures, (batch, width) each."""
    return float(np.linalg.norm(one.astype(np.float64) - other, axis=1).max())
