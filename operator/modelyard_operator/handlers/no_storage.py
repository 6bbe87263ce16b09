"""Kopf without memory: what its other handlers would compare and keep is neither copied nor stored.

kopf works out the difference to the last handled state for every event, whether a handler wants it or not. For
`on.event` alone that is half of the operator's CPU time, spent on copies of objects that nobody looks at.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """There is no last handled state, and no essence of the present one."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of the object is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


class NoProgress(kopf.ProgressStorage):
    """There are no handlers whose progress would have to outlive an event."""

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""

    def purge(self, **_: Any) -> None:
        """Nothing was stored."""

    def touch(self, **_: Any) -> None:
        """The object is left alone."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """There is nothing of ours in it."""
        return essence
