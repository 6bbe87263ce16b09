"""How long to wait for what is away."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_OUTAGE = 900.0
"""Seconds that a store may be away when results are published: less than most trainings took."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a store that is away, and how often to ask: pauses in seconds, each twice the one before."""

    total: float = _LONGEST_OUTAGE
    first: float = 1.0
    longest: float = 30.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, counted from 1."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
