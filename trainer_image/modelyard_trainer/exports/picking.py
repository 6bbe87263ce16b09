"""Some of many pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
MOST_JUDGED = 2000
"""Pictures that a metric is judged by: what a file loses on these it loses on more."""


def strided(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """So many of the items at most, at even distances from the first to near the last."""
    count = min(count, len(items))
    return tuple(items[number * len(items) // count] for number in range(count))
