"""What the name of the architecture asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError

_NAME = re.compile(r"linear(?:-(?P<milliseconds>\d+)ms)?(?:-fails-(?P<reason>[A-Za-z]+)-at-(?P<epoch>\d+))?")


@dataclass(frozen=True)
class LinearArchitecture:
    """How long an epoch lasts at least, and where training fails if it is to fail."""

    epoch_seconds: float
    fails: Reason | None
    fails_at: int

    @classmethod
    def of(cls, name: str) -> LinearArchitecture:
        """Read a name such as `linear-500ms-fails-OutOfMemory-at-2`.

        Raises:
            RunError: ArchitectureUnknown.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise RunError(
                Reason.ARCHITECTURE_UNKNOWN, f"spec.model.architecture: there is no {name}; nearest is linear"
            )
        return cls(
            epoch_seconds=int(match["milliseconds"] or 0) / 1000,
            fails=Reason(match["reason"]) if match["reason"] else None,
            fails_at=int(match["epoch"] or 0),
        )
