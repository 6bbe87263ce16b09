"""The story of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeVar

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.run_document import RunDocument

from modelyard_trainer.allocator import freed_memory_kept
from modelyard_trainer.checkpoints.keeper import KeptCheckpoints
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.destination import Destination, Published
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.exports.outcome import exported
from modelyard_trainer.exports.refusing import refuse_what_differs
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.logs import log_to_file, stop_logging_to
from modelyard_trainer.memory import explain_memory
from modelyard_trainer.patience import AT_THE_START, Patience
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.record import LOG_FILE, Record
from modelyard_trainer.tasks.base import BEST, ExportedFile, Fit, Task, TaskContext, Verified
from modelyard_trainer.tasks.registry import load_task
from modelyard_trainer.weights.fetch import fetch_weights

Result = TypeVar("Result")

_log = logging.getLogger("modelyard.run")
_FOR_THE_LAST_CHECKPOINT = 120.0
"""Seconds that an attempt which fails waits for its last checkpoint; one that is interrupted has what is left to it."""


@dataclass(frozen=True)
class Finished:
    """A run that came to its end."""

    published: Published
    primary: str | None


def run(
    document: RunDocument,
    places: Places,
    progress: Progress,
    interruption: Interruption | None = None,
    *,
    processes: int | None = None,
) -> Finished:
    """Fetch, check, fit, evaluate, export, verify, publish; or the part of it that `spec.mode` asks for.

    Args:
        document: the run, with every default filled in.
        places: where data comes from, results go and scratch files lie.
        progress: told of everything as it happens.
        interruption: tells whether somebody wants it to stop; settled once the results are published.
        processes: in how many it is trained, where not in one for each GPU.

    Raises:
        RunError: it could not be done; nothing is published, but checkpoints are kept.
        Interrupted: somebody wanted it to stop; the same.
    """
    checkpoints = _once_the_store_answers(lambda: places.checkpoints(document, progress), document, progress)
    told = interruption or Interruption()
    with _kept(checkpoints, told), explain_memory(document.batch_size):
        finished = _run(document, places, progress, checkpoints, told, processes=processes)
    if places.in_cluster:
        checkpoints.abandon()
    else:
        # There the next run of the same manifest is meant to be another one.
        checkpoints.clear()
    return finished


@contextmanager
def _kept(checkpoints: KeptCheckpoints, interruption: Interruption) -> Iterator[None]:
    """Whatever ends an attempt, what was saved is to be safe before that is said."""
    try:
        yield
    except BaseException:
        if not _closed(checkpoints, interruption):
            _log.warning("the last checkpoint could not be brought to safety in time")
        raise


def _closed(checkpoints: KeptCheckpoints, interruption: Interruption) -> bool:
    """Whether what was saved is safe. A signal hurries the wait, and neither ends it nor changes why it ended."""
    until = time.monotonic() + _FOR_THE_LAST_CHECKPOINT

    def left() -> float:
        return min(interruption.left, until - time.monotonic())

    while True:
        try:
            with interruption.deferred():
                return checkpoints.close(_FOR_THE_LAST_CHECKPOINT, left)
        except Interrupted:
            if left() <= 0:
                return False


def _run(
    document: RunDocument,
    places: Places,
    progress: Progress,
    checkpoints: KeptCheckpoints,
    interruption: Interruption,
    *,
    processes: int | None,
) -> Finished:
    started = datetime.now(UTC)
    results = _empty_folder(places.scratch / "results")
    log = log_to_file(places.scratch / LOG_FILE)
    mode = document.spec.mode
    weights = cache(
        lambda: _once_the_store_answers(lambda: fetch_weights(document, places, progress), document, progress)
    )
    context = TaskContext(
        document, places.scratch, results, progress, usable_cpus(), checkpoints, interruption, weights, processes
    )
    _log.info("run %s/%s, attempt %d", document.namespace, document.name, document.attempt)

    task = load_task(document.spec.task)(context)
    task.check_spec()
    destination = _once_the_store_answers(lambda: _prepared(places, document), document, progress)

    _begin(progress, Stage.FETCHING)
    if document.attempt == 1 or mode is not Mode.TRAIN:
        # Later attempts mostly go on from a checkpoint, which what was there at first may not outlive.
        weights()
    done: dict[str, str] = {}
    fetched = _once_the_store_answers(
        lambda: fetch(document.spec.dataset, places, progress, context.cpus, done), document, progress, done
    )

    _begin(progress, Stage.CHECKING)
    data = task.check(fetched)
    progress.dataset(data.status())
    for notice in data.notices:
        _log.warning("%s", notice)

    fit = _fitted(task, data, mode, progress)

    _begin(progress, Stage.EVALUATING)
    evaluation = task.evaluate(data, fit)
    progress.metrics(evaluation.metrics)

    exports: tuple[ExportedFile, ...] = ()
    verified: tuple[Verified, ...] = ()
    if mode is Mode.EVALUATE:
        (results / BEST).unlink()
    else:
        _begin(progress, Stage.EXPORTING)
        exports = task.export(data)

        _begin(progress, Stage.VERIFYING)
        verified = task.verify(data, exports)
        refuse_what_differs(verified)

    _begin(progress, Stage.PUBLISHING)
    skipped = tuple(each for each in exports if each.skipped)
    progress.exports(exported(verified, skipped))
    record = Record(
        document,
        data,
        fit,
        evaluation,
        verified,
        started,
        skipped=skipped,
        store_notices=destination.notices,
        checkpoints=checkpoints.history,
    )
    record.write(results)
    stop_logging_to(log)
    (places.scratch / LOG_FILE).rename(results / LOG_FILE)
    published = destination.publish(results, progress, interruption)

    progress.published(published.artifacts, published.uri, record.primary)
    _log.info("published %d files at %s", len(published.artifacts), published.uri)
    return Finished(published, record.primary)


def _once_the_store_answers(
    work: Callable[[], Result], document: RunDocument, progress: Progress, done: Sized = ()
) -> Result:
    """The result of `work`, which opens the store anew each time, and with it the Secret.

    A first attempt is told at once that there is no answer, since its address or Secret may be wrong.
    """
    proved = document.attempt > 1
    return Patience(AT_THE_START).until_it_answers(work, progress.detail, proved=proved, done=lambda: len(done))


def _fitted(task: Task, data: CheckedDataset, mode: Mode, progress: Progress) -> Fit:
    """The weights: trained, or those that were given."""
    if mode is Mode.TRAIN:
        _begin(progress, Stage.TRAINING)
        with freed_memory_kept():
            return task.fit(data)
    if not hasattr(task, "adopt"):
        raise RunError(
            Reason.SPEC_INVALID, f"spec.mode: this task cannot {mode.value} given weights; train would be right"
        )
    return task.adopt(data)


def _prepared(places: Places, document: RunDocument) -> Destination:
    destination = places.destination(document)
    destination.prepare()
    return destination


def _begin(progress: Progress, stage: Stage) -> None:
    _log.info("%s", stage.value.lower())
    progress.stage(stage)


def _empty_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=False)
    return folder
