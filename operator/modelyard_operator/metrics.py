"""What Prometheus is told."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_FAST = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)

QUEUE_DEPTH = Gauge("modelyard_queue_depth", "Runs that wait to be looked at.", registry=REGISTRY)
RECONCILE_SECONDS = Histogram(
    "modelyard_reconcile_seconds",
    "Time for one look at one run, with its writes.",
    buckets=_FAST,
    registry=REGISTRY,
)
RECONCILE_ERRORS = Counter(
    "modelyard_reconcile_errors_total", "Looks at a run that failed and are repeated.", ["error"], registry=REGISTRY
)
CR_TO_JOB_SECONDS = Histogram(
    "modelyard_run_to_job_seconds",
    "Time from the first sight of a run that waits for nothing to its first Job.",
    buckets=_FAST,
    registry=REGISTRY,
)
RUNS = Gauge("modelyard_runs", "TrainingRuns by phase.", ["phase"], registry=REGISTRY)
LAST_EVENT_AGE = Gauge(
    "modelyard_last_event_age_seconds", "Time since the watches last showed anything.", registry=REGISTRY
)
WRITES = Counter("modelyard_writes_total", "Writes to the API server that went well.", ["what"], registry=REGISTRY)
INVALID = Counter(
    "modelyard_writes_invalid_total",
    "Writes that the API server refused as invalid.",
    ["what"],
    registry=REGISTRY,
)
REPORTS = Counter("modelyard_reports_total", "Reports of trainers by answer.", ["code"], registry=REGISTRY)
CONNECTIONS = Gauge("modelyard_intake_connections", "Connections of trainers that are open.", registry=REGISTRY)
CONNECTIONS_REFUSED = Counter(
    "modelyard_intake_connections_refused_total",
    "Connections broken off at once, since there were too many.",
    registry=REGISTRY,
)
EVENTS_DROPPED = Counter(
    "modelyard_events_dropped_total",
    "Events not written, since too many waited.",
    registry=REGISTRY,
)
LEADER = Gauge("modelyard_leader", "1 in the replica that leads.", registry=REGISTRY)
SWEEP_SECONDS = Histogram("modelyard_sweep_seconds", "Time for listing everything anew.", registry=REGISTRY)


class EventClock:
    """When the watches last showed anything."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        LAST_EVENT_AGE.set_function(self.age)

    def tick(self) -> None:
        """Something was shown just now."""
        self._at = time.monotonic()

    def age(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._at
