"""One look at one run: gather, decide, carry out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from modelyard_api.status import TrainingRunStatus

from modelyard_operator.domain.decide import decide
from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.domain.names import RUN_UID_LABEL
from modelyard_operator.domain.observed import Observed, ObservedJob, ObservedRun, Refusal, RunKey
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ConflictError, NotFoundError, StaleListError
from modelyard_operator.kube.parse import parse_job, parse_pod
from modelyard_operator.kube.stored_run import StoredRun, store_run
from modelyard_operator.reconcile.actions import ActionRunner, JobRefusedError
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.events import EventWriter, notes
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import StatusWriter

_log = logging.getLogger(__name__)
_LISTS_LAG_AT_MOST = 120.0
"""Seconds for which a list that is too old is not believed. It stays so where pods have an etcd of their own, which
counts for itself."""
_BETWEEN_STALE_LISTS = 1.0


class NotLeadingError(Exception):
    """This replica does not lead (any more): it must not write."""


class Reconciler:
    """Brings runs forward, one call at a time for each."""

    def __init__(
        self,
        *,
        client: KubeClient,
        cache: Cache,
        reports: ReportStore,
        actions: ActionRunner,
        writer: StatusWriter,
        events: EventWriter,
        settings: RunSettings,
        is_leader: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cache = cache
        self._reports = reports
        self._actions = actions
        self._writer = writer
        self._events = events
        self._settings = settings
        self._is_leader = is_leader
        self._clock = clock
        self._refusals: dict[RunKey, Refusal] = {}
        self._stale_since: dict[RunKey, float] = {}

    def begin(self) -> None:
        """Lead from now on: what was heard while leading before says nothing about the time between."""
        self._reports.clear()
        self._refusals.clear()
        self._stale_since.clear()
        self._settings = replace(self._settings, watching_since=datetime.now(UTC))

    async def reconcile(self, key: RunKey) -> float | None:
        """Look at the run, do what is to be done, and return after how many seconds to look again; None for never.

        Raises:
            ApiError, aiohttp.ClientError, TimeoutError: try again later.
            JobRefusedError: try again later; the next look says so in status.
            NotLeadingError: leave it to the leader.
        """
        stored = self._cache.runs.get(key)
        if stored is None:
            self._writer.forget(key)
            self._refusals.pop(key, None)
            self._stale_since.pop(key, None)
            return None
        run = stored.observed()
        try:
            observed = await self._gather(run)
        except StaleListError as error:
            _log.info("the pods of a run are listed again", extra={"run": str(key), "error": str(error)})
            return _BETWEEN_STALE_LISTS
        decision = decide(observed, self._settings, datetime.now(UTC))
        waits = [decision.requeue_after.total_seconds()] if decision.requeue_after is not None else []
        written = False
        if decision.status != run.status:
            delay = 0.0 if decision.actions else self._writer.delay(run, decision.status)
            if delay > 0:
                waits.append(delay)
            else:
                await self._write(stored, run, decision.status)
                run, written = replace(run, status=decision.status), True
        for action in decision.actions:
            if isinstance(action, CreateJob) and not written and self._may_be_stale(run):
                await self._make_sure(stored)
            self._require_leadership()
            try:
                await self._actions.carry_out(run, action)
            except JobRefusedError as error:
                self._refusals[key] = error.refusal
                raise
            if isinstance(action, CreateJob) and self._refusals.pop(key, None) is not None:
                waits.append(0.0)
        return min(waits, default=None)

    async def _write(self, stored: StoredRun, run: ObservedRun, wanted: TrainingRunStatus) -> None:
        """Write the status.

        Raises:
            ConflictError: the run has changed meanwhile. It was read anew, and has to be looked at again.
            NotFoundError: it is gone.
        """
        self._require_leadership()
        try:
            written = await self._writer.write(stored, wanted)
        except ConflictError:
            await self._refresh(stored)
            raise
        except NotFoundError:
            self._cache.drop_run(stored)
            raise
        self._cache.store_run(written)
        for note in notes(run.status, wanted):
            self._events.tell(run, note)

    def _may_be_stale(self, run: ObservedRun) -> bool:
        """Whether more may have been written of the run than is known here: not where only this process could have."""
        led = self._settings.watching_since
        return bool(run.status.attempts) or led is None or run.created_at <= led

    async def _make_sure(self, stored: StoredRun) -> None:
        """Have it that the run is as it was decided by: else a Job that has come and gone since would come again.

        Raises:
            ConflictError: the run has changed meanwhile, and has to be looked at again.
            NotFoundError: it is gone.
        """
        await self._refresh(stored)
        known = self._cache.runs.get(stored.key)
        if known is None or known.uid != stored.uid:
            raise NotFoundError(404, "NotFound", f"run {stored.key} is gone")
        if known.resource_version != stored.resource_version:
            raise ConflictError(409, "Conflict", f"run {stored.key} has changed since it was decided by")

    async def _refresh(self, stored: StoredRun) -> None:
        try:
            raw = await self._client.get(paths.run(stored.key.namespace, stored.key.name))
        except NotFoundError:
            self._cache.drop_run(stored)
            return
        self._cache.store_run(store_run(raw))

    async def _gather(self, run: ObservedRun) -> Observed:
        """What the cache knows; where that would mean an end, what the API server knows.

        Raises:
            StaleListError: the list of its pods is older than the end of its Job: what the trainer said is not in it.
        """
        observed = self._observe(run)
        attempt = run.status.attempts[-1] if run.status.attempts else None
        if attempt is None or attempt.ended_at is not None or attempt.job_uid is None:
            return observed
        job = observed.job(attempt.job_name)
        if job is not None and job.outcome is None:
            return observed
        if any(pod.job_uid == attempt.job_uid and pod.finished for pod in observed.pods):
            return observed
        if job is None:
            job = await self._look_for_job(run, attempt.job_name)
        await self._look_for_pods(run, job)
        return self._observe(run)

    def _observe(self, run: ObservedRun) -> Observed:
        pods = [pod.uid for pod in self._cache.pods_of(run.uid)]
        observed = self._cache.observe(run, self._reports.of_pods(pods))
        hearing = self._reports.hearing(self._cache.works_beside(run.uid))
        return replace(observed, hearing=hearing, refusal=self._refusals.get(run.key))

    async def _look_for_job(self, run: ObservedRun, name: str) -> ObservedJob | None:
        try:
            job = parse_job(await self._client.get(paths.job(run.key.namespace, name)))
        except NotFoundError:
            return None
        self._cache.store_job(job)
        return job if job.owner_uid == run.uid else None

    async def _look_for_pods(self, run: ObservedRun, job: ObservedJob | None) -> None:
        """List them as of the end of `job` or later: its pod had ended before, which such a list has to show."""
        since = self._stale_since.get(run.key)
        believed = since is not None and self._clock() > since + _LISTS_LAG_AT_MOST
        not_before = job.resource_version if job is not None and job.outcome is not None and not believed else None
        try:
            async for raw in self._client.list(paths.pods(run.key.namespace), f"{RUN_UID_LABEL}={run.uid}", not_before):
                self._cache.store_pod(parse_pod(raw))
        except StaleListError:
            self._stale_since.setdefault(run.key, self._clock())
            raise
        if not believed:
            self._stale_since.pop(run.key, None)

    def _require_leadership(self) -> None:
        if not self._is_leader():
            raise NotLeadingError("this replica does not lead")
