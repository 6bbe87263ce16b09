"""What can go wrong between the operator and the API server, as plain objects that the proxy looks at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True)
class Write:
    """A write of the operator, named so that it is found again in another life of a like run.

    Attributes:
        run: the run that it is for; empty for what serves all runs.
        what: verb, kind and subresource, such as `PATCH trainingruns/status`.
        nth: how many of these there were for this run, with this one.
    """

    run: str
    what: str
    nth: int

    def of(self, run: str) -> Write:
        """The same write in the life of `run`."""
        return Write(run if self.run else "", self.what, self.nth)

    def __str__(self) -> str:
        return f"{self.what} #{self.nth}"


class Side(StrEnum):
    """When, by a write."""

    BEFORE = "before"
    """It does not reach the API server."""
    AFTER = "after"
    """It is carried out, and the operator never learns so."""


@dataclass(frozen=True)
class Kill:
    """The operator is killed at a write, once."""

    write: Write
    side: Side

    def __str__(self) -> str:
        return f"killed {self.side} {self.write}"


@dataclass(frozen=True)
class Refuse:
    """A write is answered with an error instead of being carried out, once."""

    write: Write
    status: int
    reason: str
    retry_after: int | None = None

    def __str__(self) -> str:
        return f"{self.status} instead of {self.write}"


@dataclass(frozen=True)
class OfKind:
    """What is wrong with the watches or lists of a kind."""

    plural: str
    phrase: ClassVar[str]

    def __str__(self) -> str:
        return self.phrase.format(self.plural)


class Hide(OfKind):
    """Events of a kind never reach the operator, for as long as this lasts."""

    phrase = "events of {} hidden"


class Expire(OfKind):
    """The next event of a kind is lost, and its watch ends with 410 Gone in its place, once."""

    phrase = "410 on the watch of {}"


class Freeze(OfKind):
    """Watches of a kind that are open say nothing more and do not end. New ones are sound."""

    phrase = "watch of {} frozen"


class Stale(OfKind):
    """Lists of a kind are served as they were when first asked for, for as long as this lasts."""

    phrase = "stale lists of {}"


Fault = Kill | Refuse | OfKind
