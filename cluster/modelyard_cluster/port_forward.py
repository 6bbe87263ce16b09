"""`kubectl port-forward` that lasts: read from, and started again when it gives up."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .shell import CommandFailed


@contextmanager
def forwarding(command: Sequence[str]) -> Iterator[None]:
    """Keep a `kubectl port-forward` going for as long as the context lasts.

    kubectl gives up when the API server or the pod goes away for a moment; then it is started again. It writes a line
    for each connection and stops at the first that nobody has room for, so that all it writes is read.

    Raises:
        CommandFailed: it ended at once.
    """
    over = threading.Event()
    forwarder = _listening(command)

    def keep() -> None:
        nonlocal forwarder
        while True:
            with forwarder as ending:
                for _ in ending.stdout or ():
                    pass
            if over.wait(0.5):
                return
            forwarder = _listening(command)

    if forwarder.poll() is not None:
        raise CommandFailed(f"{' '.join(command)} ended at once; is the pod behind it running?")
    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        while keeper.is_alive():
            forwarder.terminate()
            keeper.join(0.5)


def _listening(command: Sequence[str]) -> subprocess.Popen[str]:
    """The started command, once it has said that it listens or has ended."""
    forwarder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if forwarder.stdout is not None and not forwarder.stdout.readline():
        forwarder.wait()
    return forwarder
