"""The other processes of a training: started, told, watched and ended by the first. Knows no torch."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.memory import host_out_of_memory, want_of_memory

START = "spawn"
"""How processes are made: one that was forked could not use CUDA."""
_LOOK_EVERY = 0.25
"""Seconds between two looks at whether they live: workers that outlive their parent keep its pipes open."""
_FOR_THEIR_LAST_WORDS = 3.0
"""Seconds between the first sign that one has failed and what is said of it: others fail because of it."""
_FOR_AN_ORDERLY_END = 30.0
_FOR_THE_MAIN_THREAD = 30.0
"""Seconds in which it has to notice that a rank is no more."""
_READY = "ready"
_log = logging.getLogger("modelyard.ranks")


class Line(Protocol):
    """Between the first rank and the others. What is said can be pickled."""

    def tell(self, value: object) -> None:
        """From the first rank, to all others."""

    def hear(self) -> object:
        """What the first rank has told and was not heard yet; waits for it."""


class OtherLine(Line, Protocol):
    """The end of another rank."""

    def ready(self) -> None:
        """Say that what takes long is done, and that it waits to be told something."""


@dataclass(frozen=True)
class Failure:
    """Why a rank ended too early."""

    reason: Reason
    message: str
    details: str = ""
    by_itself: bool = True
    """Whether it surely is no consequence of another one's."""


Work = Callable[[int, OtherLine], None]
"""What a rank other than the first does, given its rank; it can be pickled."""


class Company:
    """The ranks beside this process, which is the first.

    Args:
        work: what each of the others does.
        count: ranks, this one among them.
        give_up: ends this process, whose main thread hangs.
    """

    def __init__(self, work: Work, count: int, give_up: Callable[[Reason, str], None]) -> None:
        self._work, self._count, self._give_up = work, count, give_up
        self.abort: Callable[[], None] = lambda: None
        """Called in another thread when a rank has failed: makes the main thread go on where it waits for it."""
        self._failures: list[Failure] = []
        self._waiting_for = count - 1
        self._changed, self._over = threading.Condition(), threading.Event()
        self._processes: list[BaseProcess] = []
        self._lines: list[Connection] = []
        self._silent: set[int] = set()
        """Ranks whose line has ended."""
        self._told: set[int] = set()
        """Ranks that have said why they end."""
        self._watcher = threading.Thread(target=self._watch, name="ranks", daemon=True)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block in which there are others. When it ends they end too, in their own time where it ends well.

        Raises:
            RunError: one of them has failed, and so this one could not go on.
        """
        try:
            self._start()
            yield
        except Exception as error:
            failure = self._cause(error)
            self._end(0.0)
            if failure is None:
                raise
            # What this process raised is told nowhere else.
            _log.error("what the first rank ends with follows from another's end", exc_info=error)
            raise RunError(failure.reason, failure.message) from error
        except BaseException:
            self._end(0.0)
            raise
        else:
            self._end(_FOR_AN_ORDERLY_END)

    def _start(self) -> None:
        context: Any = multiprocessing.get_context(START)
        for rank in range(1, self._count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_rank, args=(self._work, rank, theirs), name=f"rank-{rank}")
            process.start()
            theirs.close()
            self._processes.append(process)
            self._lines.append(ours)
            _log.info("rank %d is process %d", rank, process.pid)
        self._watcher.start()

    def wait_until_ready(self) -> None:
        """Wait for all others to say so.

        Raises:
            RunError: one of them has failed.
        """
        with self._changed:
            while self._waiting_for and not self._failures:
                self._changed.wait(_LOOK_EVERY)  # not for ever: a signal's handler runs in between
        failure = self._why() if self._failures else None
        if failure:
            raise RunError(failure.reason, failure.message)

    def tell(self, value: object) -> None:
        """To all others; what one that is no more was told is lost."""
        content = pickle.dumps(value)
        for line in self._lines:
            with suppress(OSError):
                line.send_bytes(content)

    def hear(self) -> object:
        """Nobody tells the first rank anything."""
        raise NotImplementedError

    def _end(self, patience: float) -> None:
        """End the others: they have nothing that anybody needs."""
        self._over.set()
        until = time.monotonic() + patience
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))
            process.kill()
        for process in self._processes:
            process.join()
        if self._watcher.ident:
            self._watcher.join()  # it reads the lines
        for line in self._lines:
            line.close()

    def _cause(self, error: Exception) -> Failure | None:
        """What the first rank's error follows from; None where it stands for itself.

        What torch raises where another rank is gone is a RuntimeError. Of anything else only a failure that is surely
        no consequence can be the cause.
        """
        if isinstance(error, RunError):
            return None
        failure = self._why()
        if failure is None or failure.by_itself or isinstance(error, RuntimeError):
            return failure
        return None

    def _why(self) -> Failure | None:
        """What a rank has failed with that is no consequence of another failure, where that can be told."""
        with self._changed:
            self._changed.wait_for(
                lambda: any(failure.by_itself for failure in self._failures), timeout=_FOR_THEIR_LAST_WORDS
            )
            return min(self._failures, key=lambda failure: not failure.by_itself, default=None)

    def _watch(self) -> None:
        """Take down what they say, and how they end where they should not."""
        left = dict(enumerate(self._processes, 1))
        while left and not self._over.is_set():
            lines = {self._lines[rank - 1]: rank for rank in left if rank not in self._silent}
            for line in wait(list(lines), timeout=_LOOK_EVERY) if lines else ():
                self._take(line, lines[line])  # type: ignore[arg-type, index]
            if not lines:
                self._over.wait(_LOOK_EVERY)
            for rank, process in list(left.items()):
                if (code := process.exitcode) is not None:
                    del left[rank]
                    self._ended(rank, code)

    def _ended(self, rank: int, code: int) -> None:
        line = self._lines[rank - 1]
        while rank not in self._silent and line.poll():
            self._take(line, rank)
        if code == -signal.SIGKILL:
            told = host_out_of_memory(f"the process of rank {rank} is killed by signal: Killed")
            self._failed(Failure(told.reason, told.message))
        elif code < 0:
            ended = f"the process of rank {rank} ended by {signal.Signals(-code).name}"
            self._failed(Failure(Reason.INTERNAL_ERROR, ended))
        elif code and rank not in self._told:
            ended = f"the process of rank {rank} ended with exit code {code} and did not say why; its log may"
            self._failed(Failure(Reason.INTERNAL_ERROR, ended))

    def _take(self, line: Connection, rank: int) -> None:
        """What a rank says: that it is ready, or why it ends."""
        try:
            said = line.recv()
        except (OSError, EOFError):
            self._silent.add(rank)
            return
        if said != _READY:
            self._told.add(rank)
            self._failed(said)
            return
        with self._changed:
            self._waiting_for -= 1
            self._changed.notify_all()

    def _failed(self, failure: Failure) -> None:
        if self._over.is_set():
            return
        if failure.details:
            _log.error("%s", failure.details)
        with self._changed:
            self._failures.append(failure)
            self._changed.notify_all()
        if len(self._failures) == 1:
            threading.Thread(target=self._free_the_main_thread, name="ranks-abort", daemon=True).start()

    def _free_the_main_thread(self) -> None:
        self.abort()
        if not self._over.wait(_FOR_THE_MAIN_THREAD) and (failure := self._why()):
            self._give_up(failure.reason, failure.message)


def _rank(work: Work, rank: int, line: Connection) -> None:
    """All that the process of another rank does."""
    # Signals are the first rank's to answer: in a terminal all get them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    code = 0
    try:
        work(rank, _Heard(line))
    except BaseException as error:  # whatever it is, it is said by the first rank
        code = 1
        with suppress(OSError):
            line.send(_failure(rank, error))
    finally:
        # Nothing in here may wait for others any more.
        logging.shutdown()
        os._exit(code)


def _failure(rank: int, error: BaseException) -> Failure:
    told = error if isinstance(error, RunError) else want_of_memory(error)
    if told is not None:
        return Failure(told.reason, told.message)
    first = str(error).strip().partition("\n")[0]
    details = f"rank {rank}: {''.join(traceback.format_exception(error))}"
    return Failure(Reason.INTERNAL_ERROR, f"{type(error).__name__} in rank {rank}: {first}", details, by_itself=False)


class _Heard:
    """What the first rank tells, read by a thread: where there is nobody to tell anything, this process ends."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._told: queue.SimpleQueue[object] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="first-rank", daemon=True).start()

    def ready(self) -> None:
        """Said once."""
        self._line.send(_READY)

    def tell(self, value: object) -> None:
        """Only the first rank tells."""
        raise NotImplementedError

    def hear(self) -> object:
        """Waits for it."""
        return self._told.get()

    def _listen(self) -> None:
        first = multiprocessing.parent_process()
        assert first is not None  # noqa: S101 - it was started by one
        while True:
            try:
                if first.sentinel in wait([self._line, first.sentinel]):
                    os._exit(1)
                self._told.put(self._line.recv())
            except Exception as error:  # whatever it is, nothing would be heard any more
                if not isinstance(error, OSError | EOFError):
                    _log.exception("what the first rank tells cannot be read")
                os._exit(1)
