"""Ending in time although the main thread hangs in native code, where Python's signal handlers are never run."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

from modelyard_api.grace import GRACE_SECONDS

from modelyard_trainer.interruption import Interruption

_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
_AFTER = GRACE_SECONDS - 10.0
"""Seconds after the signal: later than an orderly end takes, and before the kubelet kills."""
_PROBE_SECONDS = 2.0


class LastResort:
    """A thread that hears of signals from the kernel's side and, when nothing has come of one, ends the process.

    Args:
        interruption: what handles the signals in the main thread.
        end: says how the attempt ended, and ends the process.
        after: seconds between the signal and that.
    """

    def __init__(self, interruption: Interruption, end: Callable[[], None], after: float = _AFTER) -> None:
        self._interruption, self._end, self._after = interruption, end, after
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)

    def watch(self) -> None:
        """Begin; to be called from the main thread."""
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        # A forked worker would otherwise tell of its own signals here.
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
        threading.Thread(target=self._wait, name="last-resort", daemon=True).start()

    def _wait(self) -> None:
        while True:
            if self._heard.recv(1)[0] not in _STOPS:
                continue
            if self._interruption.settled.wait(self._after):
                return
            if self._interruption.asked or not self._answers():
                self._end()
                return

    def _answers(self) -> bool:
        """Whether the main thread runs handlers at all: if it does, the signal was not this process's."""
        self._interruption.alive.clear()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        return self._interruption.alive.wait(_PROBE_SECONDS)
