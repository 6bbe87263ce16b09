"""What a watch shows goes into the cache, and its run into the queue if there is anything new to decide by."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelyard_operator.domain.observed import ObservedJob, ObservedPod, RunKey
from modelyard_operator.kube.parse import ParseError, parse_job, parse_pod
from modelyard_operator.kube.stored_run import store_run
from modelyard_operator.metrics import EventClock
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.workqueue import WorkQueue

_log = logging.getLogger(__name__)

Raw = Mapping[str, Any]
DELETED = "DELETED"


class Observer:
    """Takes events in. It never fails: an object that cannot be read is logged, and the next sweep comes."""

    def __init__(self, cache: Cache, queue: WorkQueue[RunKey], reports: ReportStore, clock: EventClock) -> None:
        self._cache = cache
        self._queue = queue
        self._reports = reports
        self._clock = clock

    def saw_run(self, kind: str | None, raw: Raw) -> None:
        """An event of a TrainingRun."""
        self._clock.tick()
        run = store_run(raw)
        changed = self._cache.drop_run(run) if kind == DELETED else self._cache.store_run(run)
        if changed:
            self._queue.add(run.key)

    def saw_job(self, kind: str | None, raw: Raw) -> None:
        """An event of a Job with our labels."""
        self._clock.tick()
        try:
            job = parse_job(raw)
        except ParseError as error:
            _log.error("a Job is left alone", extra={"error": str(error)})
            return
        known = self._cache.jobs.get((job.namespace, job.name))
        changed = self._cache.drop_job(job) if kind == DELETED else self._cache.store_job(job)
        if changed and (kind == DELETED or _differ(known, job)):
            self._wake(job.run_uid)

    def saw_pod(self, kind: str | None, raw: Raw) -> None:
        """An event of a pod with our labels."""
        self._clock.tick()
        try:
            pod = parse_pod(raw)
        except ParseError as error:
            _log.error("a pod is left alone", extra={"error": str(error)})
            return
        known = self._cache.pods.get(pod.uid)
        # How a pod ended may be told by its deletion alone: that is kept until the next sweep finds it gone.
        gone = kind == DELETED and not (pod.finished and self._is_going(pod.run_uid))
        changed = self._cache.drop_pod(pod) if gone else self._cache.store_pod(pod)
        if kind == DELETED:
            self._reports.forget(pod.uid)
        if changed and (gone or _differ(known, pod)):
            self._wake(pod.run_uid)

    def _is_going(self, run_uid: str) -> bool:
        key = self._cache.key_of(run_uid)
        return key is not None and not self._cache.runs[key].is_over

    def _wake(self, run_uid: str) -> None:
        key = self._cache.key_of(run_uid)
        if key is not None:
            self._queue.add(key)


def _differ(known: ObservedJob | ObservedPod | None, seen: ObservedJob | ObservedPod) -> bool:
    """Whether there is more new than the version."""
    return known is None or replace(known, resource_version=seen.resource_version) != seen
