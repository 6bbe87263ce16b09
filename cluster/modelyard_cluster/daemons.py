"""Programs that run beside us until they are stopped, and die with us where that is asked for."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Before a command: the kernel kills its program, even a stopped one, once the thread that started it ends.

setpriv execs the program, so that the process ID is the program's; a preexec_fn is not safe beside threads.
"""
_SHOWN_LOG_BYTES = 3000
_LOWEST_PORT = 10000


class DaemonFailed(RuntimeError):
    """A program that was to keep running has ended; the message holds the end of its log."""


class Daemon:
    """One long-running program with a log of its own, which can be stopped and started again.

    Args:
        name: what messages and the log file call it.
        command: the program and its arguments.
        log: the file that its output is appended to.
        outlive: whether it goes on after the process that started it. Otherwise the kernel kills it as soon as the
            *thread* that started it ends (PR_SET_PDEATHSIG), so start it from a thread that lives.
    """

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, *, outlive: bool = False) -> None:
        self.name = name
        self.log = log
        self._words = [str(word) for word in command]
        self._outlive = outlive
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process ID.

        Raises:
            DaemonFailed: it is not running.
        """
        if self._process is None:
            raise DaemonFailed(f"{self.name} has not been started.")
        return self._process.pid

    def start(self) -> None:
        leash = () if self._outlive else DIES_WITH_US
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, *self._words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.log.parent,
            )

    def check(self) -> None:
        """Raise DaemonFailed if the program has ended."""
        if self._process is None or self._process.poll() is not None:
            status = None if self._process is None else self._process.returncode
            shown = self.log.read_bytes()[-_SHOWN_LOG_BYTES:].decode(errors="replace") if self.log.exists() else ""
            raise DaemonFailed(f"{self.name} is not running (status {status}); the end of {self.log}:\n{shown}")

    def stop(self, grace_seconds: float = 0.0) -> None:
        """End the program: SIGTERM first if it is given time, then SIGKILL."""
        if self._process is None:
            return
        if grace_seconds > 0 and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Stop the program from running without ending it: to its peers it seems hung."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def runs_program(pid: int, program: Path) -> bool:
    """Whether a process ID noted by an earlier command still belongs to `program`, and has not ended."""
    try:
        # A program that was rebuilt meanwhile is shown as "PATH (deleted)"; one that has ended has no link to read.
        return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)") == str(program)
    except OSError:
        return False


def kill_left_over(pid: int, program: Path) -> None:
    """End a process started by an earlier command, if that ID still belongs to `program`, and wait until it is gone."""
    while runs_program(pid, program):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, all different.

    They lie below the range from which the kernel takes the local ports of outgoing connections: one of those could
    have the port by the time our program wants it.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = random.sample(range(_LOWEST_PORT, end), k=min(end - _LOWEST_PORT, 50 * count))
    found: list[int] = []
    for port in candidates:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise DaemonFailed(f"There are no {count} free ports on 127.0.0.1 between {_LOWEST_PORT} and {end}.")
