"""Pictures with a label each, however that is written."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

SIDES = ("train", "val", "test")
_SHOWN = 5


@dataclass(frozen=True)
class Labelled:
    """A picture and its label, before the picture was opened."""

    name: str
    """Its path below the data set's folder."""
    label: str
    group: str
    """Pictures of one group are on the same side of a split."""
    where: str
    """For messages: where it says so."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom in pixels of what is looked at, padding and all; None for the whole picture."""
    angle: float | None = None
    """Degrees that the label is a bin of."""


@dataclass(frozen=True)
class LabelledPictures:
    """All of them."""

    pictures: Sequence[Labelled]
    classes: tuple[str, ...] | None = None
    """The classes where the format says which there are; None for those of the labels."""
    sides: Mapping[str, str] | None = None
    """Name to one of SIDES where the data set is split; None where it is to be split."""
    notices: tuple[str, ...] = field(default=())


def untrained(what: str, names: Sequence[str], trained: Container[str]) -> Iterator[str]:
    """A notice where some have no picture to learn from.

    Args:
        what: they are: classes, identities.
        names: of all.
        trained: those that training pictures show.
    """
    without = [name for name in names if name not in trained]
    if without:
        yield f"{len(without)} of {len(names)} {what} have no training picture: {shown(without)}"


def shown(names: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
