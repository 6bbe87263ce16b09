"""Re-ranking by neighbours that find each other.

Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


def reranked(between: Matrix, queries: Matrix, gallery: Matrix, *, k1: int, k2: int, original: float) -> Matrix:
    """Distances in which those count who are among each other's neighbours.

    It needs memory for some three matrices of all pictures by all pictures.

    Args:
        between: (q, g) Euclidean distances.
        queries: (q, q) of the queries from each other.
        gallery: (g, g) of the gallery's pictures from each other.
        k1: neighbours that must find each other.
        k2: neighbours whose encodings are averaged.
        original: share of the original distance in the result.

    Returns:
        (q, g).
    """
    count = len(between)
    distances = np.block([[queries, between], [between.T, gallery]]).astype(np.float32) ** 2
    distances /= distances.max(axis=1, keepdims=True)
    order = np.argsort(distances, axis=1, kind="stable")
    encoded = _encoded(distances, order, k1)
    if k2 > 1:
        encoded = np.stack([encoded[neighbours].mean(axis=0) for neighbours in order[:, :k2]])
    result = np.empty_like(between, dtype=np.float32)
    for query in range(count):
        present = np.flatnonzero(encoded[query])
        common = np.minimum(encoded[query, present], encoded[count:, present]).sum(axis=1)
        jaccard = 1 - common / (2 - common)
        result[query] = jaccard * (1 - original) + distances[query, count:] * original
    return result


def _encoded(distances: Matrix, order: NDArray[np.int64], k1: int) -> Matrix:
    """(n, n): each row weighs the picture's k-reciprocal neighbours, and theirs, by how near they are; it sums to 1."""
    near, nearer = _reciprocal(order, k1), _reciprocal(order, int(np.around(k1 / 2)))
    encoded = np.zeros_like(distances)
    for row, neighbours in enumerate(near):
        members = [neighbours]
        for each in neighbours:
            theirs = nearer[each]
            if len(np.intersect1d(theirs, neighbours)) > 2 / 3 * len(theirs):
                members.append(theirs)
        expanded = np.unique(np.concatenate(members))
        weights = np.exp(-distances[row, expanded])
        encoded[row, expanded] = weights / weights.sum()
    return encoded


def _reciprocal(order: NDArray[np.int64], k: int) -> list[NDArray[np.int64]]:
    """For each picture those of its k nearest, and itself, that have it among theirs."""
    nearest = order[:, : k + 1]
    return [row[(nearest[row] == number).any(axis=1)] for number, row in enumerate(nearest)]
