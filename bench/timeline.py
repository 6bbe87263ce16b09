"""When things happened to each run, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles


@dataclass
class Timeline:
    """Moments of each run by name, in seconds of one monotonic clock."""

    requested: dict[str, float] = field(default_factory=dict)
    """When the creation of the custom resource was sent."""
    job_seen: dict[str, float] = field(default_factory=dict)
    """When a watch of this process saw its Job."""
    completed: dict[str, float] = field(default_factory=dict)
    """When a watch of this process saw it Complete."""

    def latencies(self) -> list[float]:
        """Seconds from request to Job, of every run that has one."""
        return [seen - self.requested[name] for name, seen in self.job_seen.items() if name in self.requested]

    def jobs_per_second(self) -> float:
        """Jobs seen divided by the time from the first request to the last Job."""
        if not self.job_seen:
            return 0.0
        return len(self.job_seen) / (max(self.job_seen.values()) - min(self.requested.values()))

    def seconds_to_complete(self) -> float | None:
        """From the first request until the last run was seen Complete; None where one never was."""
        if len(self.completed) < len(self.requested):
            return None
        return max(self.completed.values()) - min(self.requested.values())


def percentile(values: list[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed (inclusive method)."""
    if not values:
        return float("nan")
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
