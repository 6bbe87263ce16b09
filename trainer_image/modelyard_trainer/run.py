"""The story of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.run_document import RunDocument

from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.destination import Published
from modelyard_trainer.errors import RunError
from modelyard_trainer.logs import log_to_file, stop_logging_to
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.record import LOG_FILE, Record
from modelyard_trainer.tasks.base import TaskContext, Verified
from modelyard_trainer.tasks.registry import load_task

_log = logging.getLogger("modelyard.run")


@dataclass(frozen=True)
class Finished:
    """A run that came to its end."""

    published: Published
    primary: str | None


def run(document: RunDocument, places: Places, progress: Progress) -> Finished:
    """Fetch, check, fit, evaluate, export, verify, publish.

    Args:
        document: the run, with every default filled in.
        places: where data comes from, results go and scratch files lie.
        progress: told of everything as it happens.

    Raises:
        RunError: it could not be done; nothing is published.
    """
    started = datetime.now(UTC)
    results = _empty_folder(places.scratch / "results")
    log = log_to_file(places.scratch / LOG_FILE)
    context = TaskContext(document, places.scratch, results, progress, usable_cpus())
    _log.info("run %s/%s, attempt %d", document.namespace, document.name, document.attempt)

    task = load_task(document.spec.task)(context)
    task.check_spec()
    destination = places.destination(document)
    destination.prepare()

    _begin(progress, Stage.FETCHING)
    fetched = fetch(document.spec.dataset, places, progress, context.cpus)

    _begin(progress, Stage.CHECKING)
    data = task.check(fetched)
    progress.dataset(data.status())
    for notice in data.notices:
        _log.warning("%s", notice)

    _begin(progress, Stage.TRAINING)
    fit = task.fit(data)

    _begin(progress, Stage.EVALUATING)
    evaluation = task.evaluate(data, fit)
    progress.metrics(evaluation.metrics)

    _begin(progress, Stage.EXPORTING)
    exports = task.export()

    _begin(progress, Stage.VERIFYING)
    verified = task.verify(data, exports)
    _refuse_what_differs(verified)

    _begin(progress, Stage.PUBLISHING)
    record = Record(document, data, fit, evaluation, verified, started, destination.notices)
    record.write(results)
    stop_logging_to(log)
    (places.scratch / LOG_FILE).rename(results / LOG_FILE)
    published = destination.publish(results, progress)

    progress.published(published.artifacts, published.uri, record.primary)
    _log.info("published %d files at %s", len(published.artifacts), published.uri)
    return Finished(published, record.primary)


def _begin(progress: Progress, stage: Stage) -> None:
    _log.info("%s", stage.value.lower())
    progress.stage(stage)


def _refuse_what_differs(verified: Sequence[Verified]) -> None:
    """One file that says something else than PyTorch fails the run: nobody should ship it."""
    for each in verified:
        if not each.agrees:
            raise RunError(
                Reason.EXPORT_DIFFERS,
                f"{each.file.path.name} differs from PyTorch by {each.difference:.3g} on validation pictures; its "
                f"tolerance allows {each.file.tolerance:g}",
            )


def _empty_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=False)
    return folder
