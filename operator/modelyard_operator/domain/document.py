"""The run document of an attempt: all that the trainer is told."""

from __future__ import annotations

from modelyard_api.location import S3Location
from modelyard_api.run_document import Intake, RunDocument
from modelyard_api.status import Attempt

from modelyard_operator.domain.observed import ObservedRun
from modelyard_operator.domain.settings import RunSettings


def run_document(
    run: ObservedRun, attempt: Attempt, settings: RunSettings, source: S3Location | None = None
) -> RunDocument:
    """The document of `attempt`; `source` is where the run that it starts from has published its results.

    Raises:
        ValueError: the run's spec could not be read.
    """
    if run.spec is None:
        raise ValueError(f"the spec of {run.key} is not readable: {run.spec_error}")
    intake = None
    if settings.intake_url is not None:
        intake = Intake(url=settings.intake_url, interval_seconds=settings.report_interval)
    return RunDocument(
        namespace=run.key.namespace,
        name=run.key.name,
        uid=run.uid,
        attempt=attempt.number,
        batch_size=attempt.batch_size,
        effective_batch_size=attempt.effective_batch_size,
        loader_workers=attempt.loader_workers,
        image_cache=attempt.image_cache,
        learning_rate_factor=float(attempt.learning_rate_factor or 1),
        spec=run.spec,
        source=source,
        intake=intake,
        image=run.spec.resources.image or settings.trainer_image,
    )
