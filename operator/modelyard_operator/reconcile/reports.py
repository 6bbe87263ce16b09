"""The trainers' latest reports, in memory only: a full snapshot follows within seconds of any loss."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from modelyard_api.report import ProgressReport

from modelyard_operator.domain.observed import Hearing, ObservedReport
from modelyard_operator.domain.settings import SILENCE_OF_ALL
from modelyard_operator.kube.rate import TokenBucket

_MOST_PODS = 50_000


class Reception(Enum):
    """What became of a report."""

    TAKEN = "taken"
    OLD = "old"
    TOO_MANY = "too many"


class ReportStore:
    """One report a pod.

    Args:
        rate: reports a second that one pod may send.
        burst: reports at once, as around the end of an epoch.
    """

    def __init__(self, rate: float = 1.0, burst: int = 20) -> None:
        self._rate = rate
        self._burst = burst
        self._reports: dict[str, ObservedReport] = {}
        self._limits: dict[str, TokenBucket] = {}
        self._heard_last: datetime | None = None
        self._heard_since: datetime | None = None

    def admit(self, pod_uid: str) -> bool:
        """Whether this pod may send a report now."""
        if len(self._limits) > _MOST_PODS:
            # Only pods with a valid token get here; should one make pods for the sake of it, everybody starts afresh.
            self._limits.clear()
        return self._limits.setdefault(pod_uid, TokenBucket(self._rate, self._burst)).take()

    def receive(self, pod_uid: str, report: ProgressReport, now: datetime) -> Reception:
        """Keep a report that comes after the one that is known."""
        if self._heard_last is None or now - self._heard_last > SILENCE_OF_ALL:
            self._heard_since = now
        self._heard_last = now
        known = self._reports.get(pod_uid)
        if known is not None and report.sequence <= known.report.sequence:
            return Reception.OLD
        progressed = known is None or _told(known.report) != _told(report)
        self._reports[pod_uid] = ObservedReport(
            pod_uid=pod_uid,
            report=report,
            received_at=now,
            progressed_at=now if known is None or progressed else known.progressed_at,
        )
        return Reception.TAKEN

    def of_pods(self, pod_uids: list[str]) -> list[ObservedReport]:
        """The reports of these pods, as far as there are any."""
        return [self._reports[uid] for uid in pod_uids if uid in self._reports]

    def hearing(self, others: bool) -> Hearing:
        """Whether anybody is heard, for a run beside which `others` are at work or not."""
        return Hearing(self._heard_last, self._heard_since, others)

    def forget(self, pod_uid: str) -> None:
        """Drop what a pod that is gone has said."""
        self._reports.pop(pod_uid, None)
        self._limits.pop(pod_uid, None)

    def clear(self) -> None:
        """Drop what every pod has said."""
        self._reports.clear()
        self._heard_last = self._heard_since = None

    def __len__(self) -> int:
        """Pods that were heard."""
        return len(self._reports)


def _told(report: ProgressReport) -> tuple[object, ...]:
    """What counts as progress: time passing does not."""
    return report.stage, report.detail, report.epoch, report.percent, len(report.artifacts)
