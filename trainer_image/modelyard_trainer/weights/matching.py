"""Which tensors of a file belong where in a network: by name and shape alone, whatever both are wrapped in."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
_DEEPEST = 4
_MOSTLY = 0.5


@dataclass(frozen=True)
class Match:
    """What belongs to what, names of the network to names of the file."""

    taken: Mapping[str, str]
    """Of the same shape."""
    resized: Mapping[str, str]
    """Of another shape."""
    missing: tuple[str, ...]
    """Names of the network that the file does not know."""
    left_out: tuple[str, ...]
    """Names of the file that the network does not know."""


def match(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> Match:
    """The match that takes the most tensors.

    Names need not begin alike: what all or most of them begin with (`module.`, `model.`, `backbone.`) is tried with and
    without, on both sides.

    Args:
        wanted: shapes of the network's tensors by name.
        found: shapes of the file's.
    """
    pairs = ((one, other) for one in _bare(wanted) for other in _bare(found))
    ours, theirs = max(pairs, key=lambda pair: _fitting(pair[0], pair[1], wanted, found))
    common = {ours[short]: theirs[short] for short in ours if short in theirs}
    taken = {name: other for name, other in common.items() if wanted[name] == found[other]}
    return Match(
        taken=taken,
        resized={name: other for name, other in common.items() if name not in taken},
        missing=tuple(name for name in wanted if name not in common),
        left_out=tuple(name for name in found if name not in common.values()),
    )


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Their shapes by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def nearest(name: str, others: Collection[str]) -> str | None:
    """The name that is most like it."""
    return next(iter(difflib.get_close_matches(name, others, n=1, cutoff=0.0)), None)


def with_shape(name: str | None, shapes: Mapping[str, Shape]) -> str:
    """A tensor as messages name it, such as `fc.weight (10x512)`; `none` where there is none."""
    return f"{name} ({shape_text(shapes[name])})" if name else "none"


def shape_text(shape: Shape) -> str:
    """Such as 10x512."""
    return "x".join(map(str, shape))


def _bare(names: Mapping[str, Shape]) -> Iterator[dict[str, str]]:
    """The names without more and more of what most of them begin with, each to the name that it is."""
    current = {name: name for name in names}
    for _ in range(_DEEPEST):
        yield current
        firsts = Counter(short.partition(".")[0] for short in current if "." in short)
        if not firsts:
            return
        first, count = firsts.most_common(1)[0]
        if count < _MOSTLY * len(current):
            return
        current = {
            short.removeprefix(f"{first}."): name for short, name in current.items() if short.startswith(f"{first}.")
        }


def _fitting(
    ours: Mapping[str, str], theirs: Mapping[str, str], wanted: Mapping[str, Shape], found: Mapping[str, Shape]
) -> int:
    return sum(short in theirs and wanted[name] == found[theirs[short]] for short, name in ours.items())
