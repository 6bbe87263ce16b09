"""PID 1 of the trainer's pod: errors become exit codes, SIGTERM becomes an orderly end."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.run_document import MOUNT, RUN_DOCUMENT_FILE, SCRATCH_FOLDER, RunDocument, read_run_document
from pydantic import ValidationError

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.completion import completion
from modelyard_trainer.destination import Published
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.last_resort import LastResort
from modelyard_trainer.logs import log_to_stderr
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.reporter import Reporter
from modelyard_trainer.run import run
from modelyard_trainer.termination import TERMINATION_LOG, termination_message, write_termination_message

_log = logging.getLogger("modelyard.process")
_UNFORESEEN = 1
_LONGEST_PLACE = 256
"""Characters of a field's path that are shown: one that nobody knows may have any name."""
_PATIENCE_WHEN_INTERRUPTED = 5.0
"""Seconds for the last report after SIGTERM: the kubelet kills after its grace period, by default 30 s."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    reason: Reason
    message: str
    published: Published | None = None
    primary: str | None = None

    @property
    def exit_code(self) -> int:
        """What PID 1 exits with."""
        return EXIT_CODES.get(self.reason, _UNFORESEEN)


def main(arguments: Sequence[str] | None = None, interruption: Interruption | None = None) -> int:
    """Run the document and end the process's work.

    Args:
        arguments: those of the command line.
        interruption: what already handles signals, holding them back; it is made here otherwise.

    Returns:
        The exit code. All that must be said is said by then; threads that still wait for something may be left.
    """
    options = _options(arguments)
    log_to_stderr()
    if interruption is None:
        interruption = Interruption()
        interruption.install(held=True)
    progress, reporter = Progress(1, 1, 0), None
    try:
        document = read_document(options.document)
        progress = Progress(document.attempt, document.batch_size, document.spec.epochs_to_train)
        reporter = _reporter(document, progress, options.mount)

        def give_up(reason: Reason, message: str) -> None:
            leave(_end(Ending(reason, message), progress, None, options.termination_log))

        interruption.give_up = give_up
        LastResort(interruption, lambda: give_up(Reason.INTERRUPTED, _given_up(progress.now))).watch()
        interruption.begin()
        places = Places(options.scratch, options.mount)
        ending = _attempt(document, places, progress, interruption, options.processes)
    except Interrupted:
        ending = Ending(Reason.INTERRUPTED, _interrupted(progress.now))
    except RunError as error:
        ending = Ending(error.reason, error.message)
    # From here on the end is near anyway, and a signal must not cut it short.
    interruption.settle()
    return _end(ending, progress, reporter, options.termination_log)


def read_document(path: Path) -> RunDocument:
    """The run document that `path` holds.

    Raises:
        RunError: SpecInvalid; it cannot be read, or is none.
    """
    try:
        document, unknown = read_run_document(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(Reason.SPEC_INVALID, f"{path}: not a run document: {_first_line(error)}") from error
    if unknown:
        _log.warning("this image is older than the operator and leaves out what it does not know: %s", unknown)
    return document


def _reporter(document: RunDocument, progress: Progress, mount: Path) -> Reporter | None:
    if document.intake is None:
        return None
    told = document.intake
    places = {"token_file": _below(mount, told.token_file), "ca_folder": _below(mount, told.ca_folder)}
    reporter = Reporter(told.model_copy(update=places), progress)
    reporter.start()
    return reporter


def _below(mount: Path, path: str) -> str:
    """Where something is found whose volume the operator has mounted, on a computer that has it below `mount`."""
    place = PurePosixPath(path)
    return str(mount / place.relative_to(MOUNT)) if place.is_relative_to(MOUNT) else path


def _attempt(
    document: RunDocument, places: Places, progress: Progress, interruption: Interruption, processes: int | None
) -> Ending:
    try:
        finished = run(document, places, progress, interruption, processes=processes)
    except RunError as error:
        return Ending(error.reason, error.message)
    except Exception as error:
        _log.exception("this was not foreseen")
        return Ending(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {_first_line(error)}")
    reason, epochs = completion(progress.now, document.spec.training.patience)
    files = f"{len(progress.now.artifacts)} files are published"
    return Ending(reason, f"{epochs}; {files}" if epochs else files, finished.published, finished.primary)


def _interrupted(now: Snapshot) -> str:
    """What is lost by stopping here, and what is not."""
    stopped = f"told to stop while {now.stage.value.lower()}, and did"
    if now.checkpoint is None:
        return f"{stopped}; there is no checkpoint yet"
    return f"{stopped}; the checkpoint of {Position(now.checkpoint.epoch, now.checkpoint.step)} is safe"


def _given_up(now: Snapshot) -> str:
    """The main thread is left where it hangs."""
    return f"{_interrupted(now)}; what ran did not answer and was given up"


def _end(ending: Ending, progress: Progress, reporter: Reporter | None, termination_log: Path) -> int:
    """Say how it ended, first where it cannot get lost."""
    message = termination_message(progress.now, ending.reason, ending.message, ending.published, ending.primary)
    write_termination_message(message, termination_log)
    level = logging.INFO if ending.exit_code == ExitCode.SUCCESS else logging.ERROR
    _log.log(level, "%s%s", ending.reason.value, f": {ending.message}" if ending.message else "")
    if reporter:
        if ending.reason is Reason.INTERRUPTED:
            reporter.close(_PATIENCE_WHEN_INTERRUPTED)
        else:
            reporter.close()
    return ending.exit_code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modelyard_trainer", description="Run one attempt of a run.")
    parser.add_argument("document", type=Path, nargs="?", help="the run document")
    parser.add_argument("--mount", type=Path, default=Path(MOUNT), help="folder of the operator's volumes")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for what nobody keeps")
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG)
    parser.add_argument("--processes", type=int, default=None, help="train in so many, not in one for each GPU")
    options = parser.parse_args(arguments)
    if options.document is None:
        options.document = options.mount / RUN_DOCUMENT_FILE.relative_to(MOUNT)
    if options.scratch is None:
        base = Path(SCRATCH_FOLDER) if os.access(SCRATCH_FOLDER, os.W_OK) else None
        # A container that is started again in the same pod finds what the one before it left.
        options.scratch = Path(tempfile.mkdtemp(prefix="attempt-", dir=base))
    return options


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{ascii('.'.join(map(str, first['loc'])))[1:-1][:_LONGEST_PLACE]}: {first['msg']}"
    return str(error).strip().partition("\n")[0]


def leave(code: int) -> None:
    """End the process now: a thread that hangs in a socket or a driver must not keep a GPU."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
