"""What the watches and our own writes have shown so far. An older version never replaces a newer one.

But for one case: a list that was asked for after something was known and shows an older version of it comes from an
API server that was restored from a backup. `before` in the methods below is what was known when the list began.

Nor does an older version bring back what was dropped (`versions.LastVersions`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from modelyard_operator.domain.observed import Observed, ObservedJob, ObservedPod, ObservedReport, ObservedRun, RunKey
from modelyard_operator.kube.parse import ParseError
from modelyard_operator.kube.resource_version import is_newer
from modelyard_operator.kube.stored_run import StoredRun
from modelyard_operator.reconcile.versions import LastVersions

JobKey = tuple[str, str]
Versioned = StoredRun | ObservedJob | ObservedPod


class Cache:
    """Runs by key, Jobs and pods by the UID of their run."""

    def __init__(self) -> None:
        self.runs: dict[RunKey, StoredRun] = {}
        self.jobs: dict[JobKey, ObservedJob] = {}
        self.pods: dict[str, ObservedPod] = {}
        self._keys: dict[str, RunKey] = {}
        self._jobs_of: dict[str, set[JobKey]] = {}
        self._pods_of: dict[str, set[str]] = {}
        self._first_seen: dict[str, float] = {}
        self._at_work: dict[str, set[str]] = {}
        """UIDs of running pods, by the UID of their run."""
        self._dropped = LastVersions()

    # Runs

    def store_run(self, run: StoredRun, before: StoredRun | None = None) -> bool:
        """Keep `run`; False if the same or a newer version is known."""
        known = self.runs.get(run.key)
        if not self._is_news(run, known, before):
            return False
        if known is not None and known.uid != run.uid:
            self.drop_run(known)
        self.runs[run.key] = run
        self._keys[run.uid] = run.key
        self._first_seen.setdefault(run.uid, time.monotonic())
        return True

    def drop_run(self, run: StoredRun) -> bool:
        """Forget a run that was deleted; False if one of its name has taken its place."""
        self._dropped.note(run.uid, run.resource_version)
        known = self.runs.get(run.key)
        if known is None or known.uid != run.uid:
            return False
        self._dropped.note(known.uid, known.resource_version)
        del self.runs[run.key]
        self._keys.pop(run.uid, None)
        self._first_seen.pop(run.uid, None)
        return True

    def key_of(self, run_uid: str) -> RunKey | None:
        """Where the run with this UID is found."""
        return self._keys.get(run_uid)

    def seen_for(self, run_uid: str) -> float:
        """Seconds since this process first saw the run."""
        return time.monotonic() - self._first_seen.get(run_uid, time.monotonic())

    # Jobs

    def store_job(self, job: ObservedJob, before: ObservedJob | None = None) -> bool:
        """Keep `job`; False if the same or a newer version is known."""
        key = (job.namespace, job.name)
        if not self._is_news(job, self.jobs.get(key), before):
            return False
        self.jobs[key] = job
        self._jobs_of.setdefault(job.run_uid, set()).add(key)
        return True

    def drop_job(self, job: ObservedJob) -> bool:
        """Forget a Job that was deleted; False if one of its name has taken its place."""
        self._dropped.note(job.uid, job.resource_version)
        key = (job.namespace, job.name)
        known = self.jobs.get(key)
        if known is None or known.uid != job.uid:
            return False
        self._dropped.note(known.uid, known.resource_version)
        del self.jobs[key]
        _discard(self._jobs_of, known.run_uid, key)
        return True

    # Pods

    def store_pod(self, pod: ObservedPod, before: ObservedPod | None = None) -> bool:
        """Keep `pod`; False if the same or a newer version is known."""
        if not self._is_news(pod, self.pods.get(pod.uid), before):
            return False
        self.pods[pod.uid] = pod
        self._pods_of.setdefault(pod.run_uid, set()).add(pod.uid)
        if pod.phase == "Running":
            self._at_work.setdefault(pod.run_uid, set()).add(pod.uid)
        else:
            _discard(self._at_work, pod.run_uid, pod.uid)
        return True

    def drop_pod(self, pod: ObservedPod) -> bool:
        """Forget a pod that was deleted."""
        self._dropped.note(pod.uid, pod.resource_version)
        known = self.pods.pop(pod.uid, None)
        if known is None:
            return False
        self._dropped.note(known.uid, known.resource_version)
        _discard(self._pods_of, known.run_uid, pod.uid)
        _discard(self._at_work, known.run_uid, pod.uid)
        return True

    # Together

    def _is_news(self, seen: Versioned, known: Versioned | None, before: Versioned | None) -> bool:
        if known is None:
            return not self._dropped.are_later(seen.uid, seen.resource_version)
        if is_newer(seen.resource_version, known.resource_version):
            return True
        return known is before and is_newer(known.resource_version, seen.resource_version)

    def jobs_of(self, run_uid: str) -> tuple[ObservedJob, ...]:
        """The Jobs of a run, oldest first."""
        jobs = [self.jobs[key] for key in self._jobs_of.get(run_uid, ())]
        return tuple(sorted(jobs, key=lambda job: job.attempt))

    def pods_of(self, run_uid: str) -> tuple[ObservedPod, ...]:
        """The pods of a run."""
        return tuple(self.pods[uid] for uid in self._pods_of.get(run_uid, ()))

    def waits_for_its_first_job(self, key: RunKey) -> bool:
        """Whether nobody has looked at this run yet, or nothing has come of it: its GPU idles until it has a Job."""
        run = self.runs.get(key)
        return run is not None and run.is_new and run.uid not in self._jobs_of

    def works_beside(self, run_uid: str) -> bool:
        """Whether a pod of any other run is at work."""
        return len(self._at_work) > (run_uid in self._at_work)

    def observe(self, run: ObservedRun, reports: Iterable[ObservedReport] = ()) -> Observed:
        """All that is known about a run."""
        latest = max(reports, key=lambda report: report.received_at, default=None)
        return Observed(run, self.jobs_of(run.uid), self.pods_of(run.uid), latest, source=self._source_of(run))

    def _source_of(self, run: ObservedRun) -> ObservedRun | None:
        """The run that this one starts from."""
        start = run.spec.model.start if run.spec is not None else None
        if start is None or start.run is None:
            return None
        stored = self.runs.get(RunKey(run.key.namespace, start.run))
        try:
            return stored.observed() if stored is not None and not stored.deleting else None
        except ParseError:
            return None

    def namespaces(self) -> set[str]:
        """Namespaces that have a run."""
        return {key.namespace for key in self.runs}

    def phases(self) -> Counter[str]:
        """How many runs are in each phase."""
        return Counter(run.phase for run in self.runs.values())


def _discard(index: dict[str, set[JobKey]] | dict[str, set[str]], run_uid: str, member: object) -> None:
    members = index.get(run_uid)
    if members is None:
        return
    members.discard(member)
    if not members:
        del index[run_uid]
