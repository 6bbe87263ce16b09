"""What the name of the architecture asks for."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass

from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.guard import refuse_divergence

_NAME = re.compile(
    r"linear(?:-(?P<milliseconds>\d+)ms)?"
    r"(?:-carries-(?P<mebibytes>\d+)MiB)?"
    r"(?:-hungry-at-(?P<hungry>\d+))?"
    r"(?:-fails-(?P<reason>[A-Za-z]+)-(?:at-(?P<epoch>\d+)|above-(?P<batch>\d+)))?"
)


@dataclass(frozen=True)
class LinearArchitecture:
    """How long an epoch lasts at least, and at which epoch or above which batch training fails if it is to fail.

    Attributes:
        ballast: MiB of a result file that is of no use and in every checkpoint.
        hungry_at: epoch at which a run that nobody has eased yet needs more memory than there is; 0 for none.
    """

    epoch_seconds: float
    fails: Reason | None
    fails_at: int
    fails_above: int | None = None
    ballast: int = 0
    hungry_at: int = 0

    @classmethod
    def of(cls, name: str) -> LinearArchitecture:
        """Read a name such as `linear-500ms-fails-OutOfMemory-at-2` or `linear-fails-OutOfMemory-above-8`.

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
            fails_above=int(match["batch"]) if match["batch"] else None,
            ballast=int(match["mebibytes"] or 0),
            hungry_at=int(match["hungry"] or 0),
        )

    def fail_if_due(self, epoch: int, batch_size: int) -> None:
        """Fail where this epoch (counted from 1) or a batch of this size is one to fail at.

        Raises:
            Exception: what a real training fails with for the reason that was asked for, which the trainer has to
                explain as it explains that; for a reason that a task finds by itself, RunError.
        """
        if self.fails is None:
            return
        if self.fails_above is not None and batch_size > self.fails_above:
            _fail(self.fails, epoch, f"a batch of {batch_size}")
        if self.fails_at == epoch:
            _fail(self.fails, epoch, f"epoch {epoch}")


def _fail(reason: Reason, epoch: int, what: str) -> None:
    if reason is Reason.OUT_OF_MEMORY:
        raise _out_of_memory()(f"{what} was to need more than there is")
    if reason is Reason.HOST_OUT_OF_MEMORY:
        raise MemoryError
    if reason is Reason.DIVERGED:
        refuse_divergence(epoch - 1, {"loss": float("nan")})
    raise RunError(reason, f"{what} was to end with {reason}")


def _out_of_memory() -> type[RuntimeError]:
    """torch.OutOfMemoryError, or its namesake where there is no torch."""
    if importlib.util.find_spec("torch") is None:
        return OutOfMemoryError
    import torch  # noqa: PLC0415 - seconds

    return torch.OutOfMemoryError


class OutOfMemoryError(RuntimeError):
    """As torch's: nothing but its name tells what it is."""
