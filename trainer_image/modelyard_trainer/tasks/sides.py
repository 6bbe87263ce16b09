"""What a task makes of the pictures that were set aside, one side of the split after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Protocol, TypeVar

from modelyard_trainer.dataset.model import CheckedDataset, Picture

VALIDATION, TEST = "validation", "test"


class Closing(Protocol):
    """What holds processes until it is closed."""

    def close(self) -> None:
        """End them."""


class Measured(Protocol):
    """What came of looking at one side."""

    def metrics(self) -> dict[str, float]:
        """By name."""


Examiner = TypeVar("Examiner", bound=Closing)
Found = TypeVar("Found", bound=Measured)


def examine_sides(
    data: CheckedDataset, open_on: Callable[[str, Sequence[Picture]], Examiner], examine: Callable[[Examiner], Found]
) -> dict[str, Found]:
    """What was found on the validation pictures, and last on the test's, where there are some of either.

    Args:
        data: the pictures.
        open_on: makes what looks at the pictures of a side, by the side's name.
        examine: has it look.
    """
    sides = ((VALIDATION, data.validation), (TEST, data.test))
    found = {}
    for name, pictures in ((name, pictures) for name, pictures in sides if pictures):
        with closing(open_on(name, pictures)) as examiner:
            found[name] = examine(examiner)
    return found


def metrics_of(found: Mapping[str, Measured]) -> dict[str, float]:
    """Those of the validation pictures by their names, and those of the test's as `test/NAME`."""
    return {
        name if side == VALIDATION else f"{side}/{name}": value
        for side, each in found.items()
        for name, value in each.metrics().items()
    }
