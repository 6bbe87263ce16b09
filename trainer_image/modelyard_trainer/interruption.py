"""Being told to stop: at once where nothing is lost by it, otherwise when what must not be torn is done."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard_api.grace import GRACE_SECONDS

from modelyard_trainer.errors import Interrupted

if TYPE_CHECKING:
    from modelyard_api.outcome import Reason

PATIENCE = 60.0
"""Seconds that a deferred block may take after the signal; what is left of the grace period is for the uploads."""
_FOR_THE_LAST_WORD = 15.0
"""Seconds of the grace period that are kept for the termination message and the last report."""
_log = logging.getLogger("modelyard.process")


class Interruption:
    """What SIGTERM and SIGINT do. Belongs to the main thread: signals are delivered there.

    Outside `deferred` a signal raises `Interrupted` where the program stands. Inside, it sets `asked`, and leaving the
    block raises; a block that takes longer than `patience` after the signal is interrupted all the same. One
    `Interrupted` is raised and no more, so that what must be done after it is not disturbed; only a person who presses
    Ctrl-C again is obeyed at once.

    Args:
        patience: seconds that a deferred block may go on after the signal.
        grace: seconds until the process is killed.
        clock: a monotonic clock, seconds.
    """

    def __init__(
        self, patience: float = PATIENCE, grace: float = GRACE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience, self._grace, self._clock = patience, grace, clock
        self._asked_at: float | None = None
        self._depth = 0
        self._raised = self._hurried = False
        self.settled = threading.Event()
        """Set once no signal changes how it ends."""
        self.alive = threading.Event()
        """Set whenever the main thread handles SIGALRM."""
        self.give_up: Callable[[Reason, str], None] = _give_up
        """Ends the process, whose main thread hangs, for this reason and with this sentence."""
        self._process = os.getpid()

    def install(self, *, held: bool = False) -> None:
        """Handle SIGTERM and SIGINT from now on.

        Args:
            held: as if in a deferred block, until `begin` is called.
        """
        self._depth += held
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        signal.signal(signal.SIGALRM, self._late)

    def begin(self) -> None:
        """Leave what `install` began by holding signals back.

        Raises:
            Interrupted: it was asked meanwhile.
        """
        self._leave()

    @property
    def asked(self) -> bool:
        """Whether somebody wants this process to stop. Worth a look after every batch within `deferred`."""
        return self._asked_at is not None

    @property
    def left(self) -> float:
        """Seconds that may still be spent on saving things, now that it was asked; the whole grace period before."""
        if self._hurried:
            return 0.0
        gone = 0.0 if self._asked_at is None else self._clock() - self._asked_at
        return max(0.0, self._grace - _FOR_THE_LAST_WORD - gone)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A block that a signal does not tear. May be nested: the outermost counts.

        Raises:
            Interrupted: on leaving, when it was asked meanwhile, also where the block ended with another error.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._leave()

    def settle(self) -> None:
        """The work is done: from now on no signal changes how it ends."""
        self.settled.set()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _told(self, number: int, _frame: object) -> None:
        if os.getpid() != self._process:
            _as_a_worker(number)
            return
        if self.settled.is_set():
            return
        if self.asked:
            if number == signal.SIGINT:
                self._raised = self._hurried = True
                raise Interrupted
            return
        # First of all: another signal may come while this one is still being handled.
        self._asked_at = self._clock()
        _log.info("got %s", signal.Signals(number).name)
        if self._depth:
            signal.setitimer(signal.ITIMER_REAL, self._patience)
        else:
            self._interrupt()

    def _late(self, _number: int, _frame: object) -> None:
        self.alive.set()
        if self.asked and self._depth and os.getpid() == self._process:
            _log.warning("what must not be torn took more than %.0f s, and is torn", self._patience)
            self._interrupt()

    def _leave(self) -> None:
        self._depth -= 1
        if not self._depth:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.asked:
                self._interrupt()

    def _interrupt(self) -> None:
        if not (self._raised or self.settled.is_set()):
            self._raised = True
            raise Interrupted


def _give_up(reason: Reason, message: str) -> None:
    _log.error("%s: %s", reason, message)
    os._exit(1)


def _as_a_worker(number: int) -> None:
    """In a forked worker: a terminal's Ctrl-C is its parent's to answer, and SIGTERM ends it as if nothing was set."""
    if number != signal.SIGINT:
        default: Any = signal.SIG_DFL
        signal.signal(number, default)
        os.kill(os.getpid(), number)
