"""What a run's status says of its exports."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.status import ExportStatus

from modelyard_trainer.tasks.base import ExportedFile, Verified
from modelyard_trainer.termination import decimal


def exported(verified: Sequence[Verified], skipped: Sequence[ExportedFile]) -> tuple[ExportStatus, ...]:
    """Each file and what it is worth, then each that could not be made here."""
    return (
        *(
            ExportStatus(
                name=each.file.path.name,
                metric=f"{each.judged.metric} {decimal(each.judged.value)}",
                drop=decimal(each.judged.drop + 0.0),  # no -0
                latency=f"{decimal(each.latency.milliseconds)} ms on {each.latency.device}",
            )
            for each in verified
        ),
        *(ExportStatus(name=each.path.name, skipped=each.skipped) for each in skipped),
    )
