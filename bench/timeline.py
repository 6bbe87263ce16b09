"""When things happened to each run, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles


@dataclass
class Timeline:
    """Moments of each run by name, in seconds of this machine's clock."""

    requested: dict[str, float] = field(default_factory=dict)
    """When the creation of the custom resource was sent."""
    job_of: dict[str, str] = field(default_factory=dict)
    """The name of its first Job."""
    job_made: dict[str, float] = field(default_factory=dict)
    """When the API server answered for a Job's creation, by the Job's name."""
    job_seen: dict[str, float] = field(default_factory=dict)
    """When a watch of this process saw its Job."""
    completed: dict[str, float] = field(default_factory=dict)
    """When a watch of this process saw it Complete."""

    def jobs_by_run(self) -> dict[str, float]:
        """When each run's Job was made, of every run that has one."""
        made = {name: self.job_made.get(job) for name, job in self.job_of.items()}
        return {name: at for name, at in made.items() if at is not None}

    def latencies(self, moments: dict[str, float]) -> list[float]:
        """Seconds from the request to `moments`, of every run that has one."""
        return [at - self.requested[name] for name, at in moments.items() if name in self.requested]

    def a_second(self, moments: dict[str, float]) -> float:
        """How many moments there are, divided by the time from the first request to the last of them."""
        if not moments:
            return 0.0
        return len(moments) / (max(moments.values()) - min(self.requested.values()))

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
