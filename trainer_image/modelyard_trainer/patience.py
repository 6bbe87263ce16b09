"""How long to wait for what is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

Result = TypeVar("Result")

AT_THE_START = 300.0
"""Seconds that a store may be away when an attempt begins; the operator tries again later."""
_LONGEST_OUTAGE = 900.0
"""Seconds that a store may be away when results are published: less than most trainings took."""
_CREDENTIALS = frozenset({Reason.CREDENTIALS_MISSING, Reason.CREDENTIALS_REFUSED})
_log = logging.getLogger("modelyard.store")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a store that is away, and how often to ask: pauses in seconds, each twice the one before."""

    total: float = _LONGEST_OUTAGE
    first: float = 1.0
    longest: float = 30.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, counted from 1."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))

    def until_it_answers(
        self,
        work: Callable[[], Result],
        tell: Callable[[str], None],
        *,
        proved: bool = True,
        done: Callable[[], int] = lambda: 0,
        renew: Callable[[], None] = lambda: None,
    ) -> Result:
        """The result of `work`, which is called again for as long as the store is away. A signal ends the wait.

        Args:
            work: what asks the store.
            tell: told of every pause, as a short phrase.
            proved: whether address and credentials have worked before. Then credentials that are missing or refused
                are on their way as well; otherwise nothing is waited for, since somebody may have to correct them.
            done: how much of it is done. Something of it proves the store too, and what fails after more of it is done
                is another outage.
            renew: called before each new try; it may look for other credentials.

        Raises:
            RunError: what `work` raised; StoreUnreachable where it was waited for in vain, so that it is tried again.
        """
        failures, done_before, deadline = 0, 0, 0.0
        while True:
            try:
                return work()
            except RunError as error:
                without_credentials = error.reason in _CREDENTIALS
                if not (proved or done()) or not (without_credentials or error.reason is Reason.STORE_UNREACHABLE):
                    raise
                if not failures or done() > done_before:
                    # It was back in between.
                    failures, deadline = 0, time.monotonic() + self.total
                failures, done_before = failures + 1, done()
                pause = self.pause(failures)
                if time.monotonic() + pause > deadline:
                    raise RunError(Reason.STORE_UNREACHABLE, error.message) from error
                _log.warning("%s; trying again in %.0f s", error.message, pause)
                why = "the store does not take the credentials" if without_credentials else "the store is away"
                tell(f"{why}, trying again in {pause:.0f} s")
                time.sleep(pause)
                renew()
