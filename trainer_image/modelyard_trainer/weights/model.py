"""What is known of the weights that a run starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_NAMED = 4
_DIGITS = 12


@dataclass(frozen=True)
class FetchedWeights:
    """A file of weights on this computer."""

    path: Path
    origin: str
    """Where it came from, for messages: an S3 URI, an address or a path."""
    sha256: str


@dataclass(frozen=True)
class Start:
    """What a training began with instead of random weights."""

    origin: str
    sha256: str
    taken: int
    """Tensors of the network that are the file's."""
    tensors: int
    """Tensors that the network has."""
    adapted: tuple[str, ...]
    """Those whose rows are classes, of which only the classes that the file knows were taken."""
    anew: tuple[str, ...]
    """Those that begin at random."""
    left_out: tuple[str, ...]
    """Tensors of the file that the network has no place for."""

    @property
    def notice(self) -> str:
        """The same in one sentence."""
        parts = [f"{self.taken} of {self.tensors} tensors are of {self.origin} (SHA-256 {self.sha256[:_DIGITS]}…)"]
        for names, what in (
            (self.adapted, "adapted to the classes"),
            (self.anew, "begun at random"),
            (self.left_out, "of the file left out"),
        ):
            if names:
                parts.append(f"{what}: {shortened(names)}")
        return "the weights at the start: " + "; ".join(parts)

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot and the record."""
        return {
            "origin": self.origin,
            "sha256": self.sha256,
            "taken": self.taken,
            "tensors": self.tensors,
            "adapted": list(self.adapted),
            "anew": list(self.anew),
            "leftOut": list(self.left_out),
        }

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """What `state` gave."""
        counted = state["origin"], state["sha256"], state["taken"], state["tensors"]
        return cls(*counted, *(tuple(state[names]) for names in ("adapted", "anew", "leftOut")))


def shortened(names: tuple[str, ...], most: int = _NAMED) -> str:
    """A few of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
