"""Batches in which kinds of pictures meet as asked: so many of each of so many kinds. Functions of the draw alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Group = TypeVar("Group")


def batches_of(counts: Sequence[int], kinds: int) -> int:
    """How many batches of `kinds` different kinds can be made, where there are `counts` groups of each kind.

    That is the largest number b for which the kinds, each at most once a batch, fill b batches.
    """
    counted = np.asarray(counts)
    low, high = 0, int(counted.sum()) // kinds
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(counted, middle).sum() >= middle * kinds:
            low = middle
        else:
            high = middle - 1
    return low


def deal(groups: Sequence[Sequence[Group]], kinds: int, draw: np.random.Generator) -> list[list[Group]]:
    """As many batches as can be made, each of `kinds` groups of different kinds; what is left over is left out.

    McNaughton's wrap-around rule (Management Science 6, 1959): batches are columns of a table that is filled row by
    row, kind after kind. No kind has more groups than there are columns, so that none meets itself in one.

    Args:
        groups: of each kind.
        kinds: of a batch.
        draw: decides on the order of kinds, groups and batches.
    """
    batches = batches_of([len(each) for each in groups], kinds)
    if not batches:
        return []
    dealt: list[list[Group]] = [[] for _ in range(batches)]
    place = 0
    for kind in draw.permutation(len(groups)):
        chosen = draw.permutation(len(groups[kind]))[: min(batches, batches * kinds - place)]
        for number in chosen:
            dealt[place % batches].append(groups[kind][number])
            place += 1
    return [dealt[batch] for batch in draw.permutation(batches)]
