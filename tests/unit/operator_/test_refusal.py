"""A Job that the API server does not create: the person who made the run is told, in the server's own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.status import ConditionStatus, ConditionType, Phase, TrainingRunStatus
from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.domain.observed import RunKey
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.kube.errors import ApiError, ConflictError, ForbiddenError, InvalidError
from modelyard_operator.reconcile.actions import ActionRunner, JobRefusedError
from modelyard_operator.reconcile.cache import Cache
from modelyard_operator.reconcile.events import EventWriter, notes
from modelyard_operator.reconcile.reconciler import Reconciler
from modelyard_operator.reconcile.reports import ReportStore
from modelyard_operator.reconcile.status_writer import Pace, StatusWriter
from modelyard_operator.reconcile.workqueue import WorkQueue

from tests.unit.operator_.world import SETTINGS, World, a_run

QUOTA = 'jobs.batch "digits-1" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: 5, limited: 5'
FORBIDDEN = ForbiddenError(403, "Forbidden", QUOTA)
INVALID = InvalidError(422, "Invalid", 'Job.batch "digits-1" is invalid: spec.template: Invalid value: "-"')


class Cluster:
    """An API server that takes status as it comes, and refuses Jobs while `refuses` is set."""

    def __init__(self, refuses: ApiError | None = None) -> None:
        self.refuses = refuses
        self.statuses: list[TrainingRunStatus] = []
        self.version = 100

    async def apply(self, path: str, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert path.endswith("/status")
        self.statuses.append(TrainingRunStatus.model_validate(body["status"]))
        return self._answer({})

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path.endswith("/jobs")
        if self.refuses is not None:
            raise self.refuses
        return self._answer(body["metadata"])

    async def get(self, path: str) -> dict[str, Any]:
        """Somebody else's Job of that name."""
        return {"metadata": {"name": path.rsplit("/", maxsplit=1)[-1], "namespace": "vision"}}

    def _answer(self, metadata: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        made = {"uid": "job-1", "creationTimestamp": "2026-11-21T12:00:00Z", "resourceVersion": str(self.version)}
        return {"metadata": {**metadata, **made}}


def reconciler(cluster: Cluster, world: World) -> Reconciler:
    async def prepare(_: str) -> None:
        """Nothing to prepare."""

    client, cache = cast("KubeClient", cluster), Cache()
    cache.store_run(world.stored())
    return Reconciler(
        client=client,
        cache=cache,
        reports=ReportStore(),
        actions=ActionRunner(client, cache, SETTINGS, prepare),
        writer=StatusWriter(client, Pace()),
        events=EventWriter(client, "test", WorkQueue[RunKey]().calm),
        settings=SETTINGS,
        is_leader=lambda: True,
    )


async def test_a_forbidden_job_is_told_of_and_tried_until_it_is_allowed() -> None:
    world, cluster = a_run(), Cluster(FORBIDDEN)
    looks = reconciler(cluster, world)
    for _ in range(3):
        with pytest.raises(JobRefusedError, match="exceeded quota"):
            await looks.reconcile(world.run.key)
    assert [status.reason for status in cluster.statuses] == ["JobCreated", Reason.JOB_REFUSED]
    cluster.refuses = None
    assert await looks.reconcile(world.run.key) == 0
    await looks.reconcile(world.run.key)
    assert (cluster.statuses[-1].phase, cluster.statuses[-1].reason) == (Phase.STARTING, "JobCreated")


async def test_so_is_that_of_a_new_run_which_has_no_status_yet() -> None:
    world, cluster = a_run(), Cluster(FORBIDDEN)
    world.run = replace(world.run, created_at=datetime.now(UTC))
    looks = reconciler(cluster, world)
    for _ in range(3):
        with pytest.raises(JobRefusedError, match="exceeded quota"):
            await looks.reconcile(world.run.key)
    assert [(status.reason, status.message) for status in cluster.statuses] == [(Reason.JOB_REFUSED, QUOTA)]


async def test_an_invalid_job_fails_the_run() -> None:
    world, cluster = a_run(), Cluster(INVALID)
    looks = reconciler(cluster, world)
    with pytest.raises(JobRefusedError):
        await looks.reconcile(world.run.key)
    await looks.reconcile(world.run.key)
    last = cluster.statuses[-1]
    assert (last.phase, last.reason, last.message) == (Phase.FAILED, Reason.SPEC_INVALID, INVALID.message)


async def test_a_name_that_is_taken_is_told_of() -> None:
    world, cluster = a_run(), Cluster(ConflictError(409, "AlreadyExists", ""))
    looks = reconciler(cluster, world)
    for _ in range(2):
        with pytest.raises(JobRefusedError, match="does not belong to run digits; delete it"):
            await looks.reconcile(world.run.key)
    assert cluster.statuses[-1].reason == Reason.JOB_REFUSED


async def test_an_api_server_in_trouble_has_refused_nothing() -> None:
    world, cluster = a_run(), Cluster(ApiError(503, "ServiceUnavailable", "etcd"))
    looks = reconciler(cluster, world)
    for _ in range(2):
        with pytest.raises(ApiError, match="etcd"):
            await looks.reconcile(world.run.key)
    assert [status.reason for status in cluster.statuses] == ["JobCreated"]


def test_the_server_s_sentence_stands_in_status_condition_and_one_event() -> None:
    world = a_run().later(minutes=2).looked_at()
    before = world.status
    world.job_refused(QUOTA)
    decision = world.decide()
    assert (decision.status.reason, decision.status.message) == (Reason.JOB_REFUSED, QUOTA)
    assert decision.actions == (CreateJob(decision.status.attempts[0]),)
    told = notes(before, decision.status)
    assert [(note.kind, note.reason, note.message) for note in told] == [("Warning", Reason.JOB_REFUSED, QUOTA)]
    world.looked_at()
    condition = world.condition(ConditionType.RECONCILING)
    assert (condition.status, condition.reason, condition.message) == (
        ConditionStatus.TRUE,
        Reason.JOB_REFUSED,
        QUOTA,
    )


def test_an_operator_that_was_restarted_does_not_tell_it_again() -> None:
    world = a_run().later(minutes=2).looked_at().job_refused(QUOTA).looked_at().job_refused(QUOTA)
    world.refusal = None
    world.run = world.looked_at().run
    world.job_refused(QUOTA)
    assert notes(world.status, world.decide().status) == []


def test_a_refusal_says_nothing_about_the_next_attempt() -> None:
    world = a_run().begun()
    refused = world.job_refused(QUOTA, final=True).refusal
    world = a_run(recovery={"maxRetries": 3}).begun().pod_running().pod_exits(1).looked_at().later(hours=1).looked_at()
    world.refusal = refused
    world.job_gone()
    assert world.attempt == 2
    assert world.decide().status.phase is Phase.STARTING
