"""Which of two versions is later, also where the object was dropped in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelyard_operator.kube.resource_version import is_newer

_RETOLD_WITHIN = 300.0
"""Seconds for which what was dropped may be told of again: longer than a watch is silent before it is begun anew."""


class LastVersions:
    """The last versions that were known of what was dropped lately.

    A watch that goes on after it was cut off, or silent for a while, tells all over again what has happened since.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[str, float]] = {}
        """Version and time of its being dropped, by UID; what was dropped first comes first."""

    def note(self, uid: str, version: str) -> None:
        """It was dropped at this version; one that was noted before and is later counts."""
        self._forget()
        earlier, _ = self._last.pop(uid, (version, 0.0))
        self._last[uid] = (earlier if is_newer(earlier, version) else version, self._clock())

    def are_later(self, uid: str, version: str) -> bool:
        """Whether a later version than `version` was known when it was dropped."""
        self._forget()
        last = self._last.get(uid)
        return last is not None and is_newer(last[0], version)

    def _forget(self) -> None:
        too_old = self._clock() - _RETOLD_WITHIN
        while self._last:
            uid = next(iter(self._last))
            if self._last[uid][1] > too_old:
                return
            del self._last[uid]
