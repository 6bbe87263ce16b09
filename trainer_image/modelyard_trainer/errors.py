"""How a run ends early: one exception that carries the reason for programs and the sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard_api.outcome import Reason


class RunError(Exception):
    """The run cannot go on.

    Args:
        reason: the word for programs; it decides the exit code, and with it whether the operator tries again.
        message: one sentence for people: what, where, what would be right.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Interrupted(BaseException):
    """Somebody told the process to stop.

    Not an `Exception`, so that no library which forgives errors swallows it.
    """
