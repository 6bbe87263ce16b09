"""The time that counts for `recovery.activeDeadline`: it stands still while a run is suspended or waits in a queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard_api.status import Phase, TrainingRunStatus

QUEUED = "Queued"
"""Reason of a run whose Job is suspended by another, such as Kueue."""


def stands_still(phase: Phase, reason: str | None) -> bool:
    """Whether no time counts for a run that is said to be there."""
    return reason == QUEUED or phase in (Phase.SUSPENDED, Phase.COMPLETE, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class Clock:
    """A stop-watch: what it has counted up to its last start, and when that was; None while it stands still."""

    counted: timedelta
    since: datetime | None

    @classmethod
    def of(cls, status: TrainingRunStatus) -> Clock:
        """That of a run. One which an operator without clocks has begun has gone all along."""
        counted, since = timedelta(seconds=status.active_seconds), status.active_since
        if since is None and not counted and not stands_still(status.phase, status.reason):
            since = status.started_at
        return cls(counted, since)

    def at(self, moment: datetime) -> timedelta:
        """What it shows at `moment`; no less than at its last start."""
        return self.counted + (max(timedelta(0), moment - self.since) if self.since is not None else timedelta(0))

    def stopped(self, moment: datetime) -> Clock:
        """The clock once it is stopped, if it was not before."""
        return Clock(self.at(moment), None)

    def going(self, moment: datetime) -> Clock:
        """The clock once it is started, if it was not before."""
        return self if self.since is not None else Clock(self.counted, moment)

    def fields(self) -> dict[str, object]:
        """As fields of status."""
        return {"active_seconds": int(self.counted.total_seconds()), "active_since": self.since}
