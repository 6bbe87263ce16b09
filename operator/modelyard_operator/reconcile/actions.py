"""Carrying actions out, each of which may be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from modelyard_api.location import S3Location
from modelyard_api.status import Attempt

from modelyard_operator.domain.decision import Action, CreateJob, DeleteJob, LimitJob
from modelyard_operator.domain.job import job_manifest
from modelyard_operator.domain.observed import ObservedJob, ObservedRun, Refusal
from modelyard_operator.domain.settings import RunSettings
from modelyard_operator.kube import paths
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from modelyard_operator.kube.parse import parse_job
from modelyard_operator.metrics import CR_TO_JOB_SECONDS, WRITES
from modelyard_operator.reconcile.cache import Cache

Prepare = Callable[[str], Awaitable[None]]
"""Makes a namespace ready for pods: they need the intake's CA there."""


_REFUSED = (400, 403, 422)
"""Quota, Pod Security, RBAC and rules; a webhook that denies without naming a code answers 400."""


class JobRefusedError(Exception):
    """There is no Job for an attempt: the API server refused it, or its name belongs to somebody else's."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ActionRunner:
    """Creates, limits and deletes Jobs, and keeps the cache in step so that no decision is made on old knowledge."""

    def __init__(self, client: KubeClient, cache: Cache, settings: RunSettings, prepare: Prepare) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._prepare = prepare

    async def carry_out(self, run: ObservedRun, action: Action) -> None:
        """Carry one action out.

        Raises:
            ApiError: the API server refused.
            JobRefusedError: it refused to create the Job, or another's stands in the way.
        """
        match action:
            case CreateJob():
                await self._create(run, action.attempt, action.source)
            case DeleteJob():
                await self._delete(run, action)
            case LimitJob():
                await self._limit(run, action)

    async def _create(self, run: ObservedRun, attempt: Attempt, source: S3Location | None) -> None:
        try:
            await self._prepare(run.key.namespace)
        except ForbiddenError as error:
            raise _refused(attempt, error) from error
        manifest = job_manifest(run, attempt, self._settings, source)
        try:
            answer = await self._client.create(paths.jobs(run.key.namespace), manifest)
            job = parse_job({**manifest, "metadata": answer["metadata"]})
            WRITES.labels("job").inc()
        except ConflictError:
            job = await self._adopt(run, attempt)
        except ApiError as error:
            if error.status not in _REFUSED:
                raise
            raise _refused(attempt, error) from error
        self._cache.store_job(job)
        if attempt.number == 1:
            CR_TO_JOB_SECONDS.observe(self._cache.seen_for(run.uid))

    async def _adopt(self, run: ObservedRun, attempt: Attempt) -> ObservedJob:
        """The Job that an earlier try, or an earlier leader, has created already."""
        raw = await self._client.get(paths.job(run.key.namespace, attempt.job_name))
        owners = [owner["uid"] for owner in raw["metadata"].get("ownerReferences") or () if owner.get("controller")]
        if owners != [run.uid]:
            place = f"{run.key.namespace}/{attempt.job_name}"
            message = f"Job {place} exists and does not belong to run {run.key.name}; delete it"
            raise JobRefusedError(Refusal(attempt.job_name, message, final=False))
        return parse_job(raw)

    async def _delete(self, run: ObservedRun, action: DeleteJob) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if action.wait else "Background",
            "preconditions": {"uid": action.uid},
        }
        try:
            await self._client.delete(paths.job(run.key.namespace, action.name), options)
            WRITES.labels("job-deletion").inc()
        except NotFoundError:
            return
        except ConflictError:
            # Either another Job bears the name by now, or this one was being written: only a look tells.
            raw = await self._client.get(paths.job(run.key.namespace, action.name))
            if raw["metadata"]["uid"] == action.uid:
                raise

    async def _limit(self, run: ObservedRun, action: LimitJob) -> None:
        try:
            raw = await self._client.merge(
                paths.job(run.key.namespace, action.name), {"spec": {action.limit: action.seconds}}
            )
            WRITES.labels("job-limit").inc()
        except NotFoundError:
            return
        self._cache.store_job(parse_job(raw))


def _refused(attempt: Attempt, error: ApiError) -> JobRefusedError:
    return JobRefusedError(Refusal(attempt.job_name, error.message or str(error), isinstance(error, InvalidError)))
