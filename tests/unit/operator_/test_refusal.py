"""A Job that the API server does not create: the person who made the run is told, in the server's own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.status import ConditionStatus, ConditionType, Phase
from modelyard_operator.domain.decision import CreateJob
from modelyard_operator.kube.errors import ApiError, ConflictError, ForbiddenError, InvalidError
from modelyard_operator.reconcile.actions import JobRefusedError
from modelyard_operator.reconcile.events import notes

from tests.unit.operator_.cluster import Cluster
from tests.unit.operator_.world import a_run

QUOTA = 'jobs.batch "digits-1" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: 5, limited: 5'
FORBIDDEN = ForbiddenError(403, "Forbidden", QUOTA)
INVALID = InvalidError(422, "Invalid", 'Job.batch "digits-1" is invalid: spec.template: Invalid value: "-"')


async def test_a_forbidden_job_is_told_of_and_tried_until_it_is_allowed() -> None:
    world = a_run()
    cluster = Cluster(world, FORBIDDEN)
    looks = cluster.reconciler()
    for _ in range(3):
        with pytest.raises(JobRefusedError, match="exceeded quota"):
            await looks.reconcile(world.run.key)
    assert [status.reason for status in cluster.statuses] == ["JobCreated", Reason.JOB_REFUSED]
    cluster.refuses = None
    assert await looks.reconcile(world.run.key) == 0
    await looks.reconcile(world.run.key)
    assert (cluster.statuses[-1].phase, cluster.statuses[-1].reason) == (Phase.STARTING, "JobCreated")


async def test_so_is_that_of_a_new_run_which_has_no_status_yet() -> None:
    world = a_run()
    world.run = replace(world.run, created_at=datetime.now(UTC))
    cluster = Cluster(world, FORBIDDEN)
    looks = cluster.reconciler()
    for _ in range(3):
        with pytest.raises(JobRefusedError, match="exceeded quota"):
            await looks.reconcile(world.run.key)
    assert [(status.reason, status.message) for status in cluster.statuses] == [(Reason.JOB_REFUSED, QUOTA)]


async def test_an_invalid_job_fails_the_run() -> None:
    world = a_run()
    cluster = Cluster(world, INVALID)
    looks = cluster.reconciler()
    with pytest.raises(JobRefusedError):
        await looks.reconcile(world.run.key)
    await looks.reconcile(world.run.key)
    last = cluster.statuses[-1]
    assert (last.phase, last.reason, last.message) == (Phase.FAILED, Reason.SPEC_INVALID, INVALID.message)


async def test_a_name_that_is_taken_is_told_of() -> None:
    world = a_run()
    cluster = Cluster(world, ConflictError(409, "AlreadyExists", ""))
    looks = cluster.reconciler()
    for _ in range(2):
        with pytest.raises(JobRefusedError, match="does not belong to run digits; delete it"):
            await looks.reconcile(world.run.key)
    assert cluster.statuses[-1].reason == Reason.JOB_REFUSED


async def test_an_api_server_in_trouble_has_refused_nothing() -> None:
    world = a_run()
    cluster = Cluster(world, ApiError(503, "ServiceUnavailable", "etcd"))
    looks = cluster.reconciler()
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
