"""A run that is known as it was a while ago: no Job is made for what has long been over."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from modelyard_operator.kube.errors import ConflictError, NotFoundError
from modelyard_operator.reconcile.versions import LastVersions

from tests.unit.operator_.cluster import Cluster
from tests.unit.operator_.world import World, a_run


@pytest.fixture
def world() -> World:
    """Its first attempt stands in status, and has no Job yet that is known."""
    return a_run().later(minutes=2).looked_at().job_gone()


async def test_a_job_that_has_come_and_gone_since_is_not_made_again(world: World) -> None:
    """It was: beside that of the next attempt, until it was found to be a stray a minute later."""
    cluster = Cluster(world)
    attempt = world.status.attempts[0].model_copy(update={"job_uid": "job-1", "ended_at": world.now, "reason": "Lost"})
    since = world.status.model_copy(update={"attempts": [attempt]})
    cluster.run = world.stored().with_status(since.to_json_object(), "2")
    looks = cluster.reconciler()
    with pytest.raises(ConflictError, match="has changed"):
        await looks.reconcile(world.run.key)
    assert cluster.jobs == []
    await looks.reconcile(world.run.key)
    assert cluster.jobs == [cluster.statuses[-1].attempts[1].job_name]


@pytest.mark.parametrize(("seconds", "jobs"), [(-1, 0), (1, 1)], ids=["before", "after"])
async def test_the_first_job_of_a_run_is_made_unread_where_the_run_is_younger_than_the_leader(
    seconds: int, jobs: int
) -> None:
    """One of before was begun by another leader; its Job was deleted, and made again by what a list lagged behind."""
    world = a_run()
    world.run = replace(world.run, created_at=datetime.now(UTC) + timedelta(seconds=seconds))
    cluster = Cluster(world)
    cluster.run = replace(world.begun().stored(), resource_version="2")
    looks = cluster.reconciler()
    looks.begin()
    with pytest.raises(ConflictError) if not jobs else nullcontext():
        await looks.reconcile(world.run.key)
    assert len(cluster.jobs) == jobs


async def test_nor_is_one_for_a_run_that_is_gone(world: World) -> None:
    cluster = Cluster(world)
    cluster.run = None
    looks = cluster.reconciler()
    with pytest.raises(NotFoundError):
        await looks.reconcile(world.run.key)
    assert await looks.reconcile(world.run.key) is None
    assert cluster.jobs == []


async def test_one_that_is_as_it_is_known_gets_its_job(world: World) -> None:
    cluster = Cluster(world)
    await cluster.reconciler().reconcile(world.run.key)
    assert cluster.jobs == [world.status.attempts[0].job_name]


def test_what_a_watch_tells_again_does_not_bring_back_what_is_gone(world: World) -> None:
    """It goes on where it was cut off; meanwhile a list has shown what is there no more."""
    cache = Cluster(world).cache
    cache.store_run(replace(world.stored(), resource_version="8"))
    cache.drop_run(cache.runs[world.run.key])
    assert not cache.store_run(replace(world.stored(), resource_version="7"))
    assert cache.runs == {}


def test_what_was_only_missing_in_a_list_comes_back_as_it_was(world: World) -> None:
    cache = Cluster(world).cache
    known = cache.runs[world.run.key]
    cache.drop_run(known)
    assert cache.store_run(known)


def test_jobs_and_pods_that_are_gone_stay_so_too() -> None:
    world = a_run().begun().pod_running()
    cache = Cluster(world).cache
    job, pod = replace(world.jobs[1], resource_version="8"), replace(world.pods[1], resource_version="8")
    cache.store_job(job)
    cache.store_pod(pod)
    cache.drop_job(job)
    cache.drop_pod(pod)
    assert not cache.store_job(replace(job, resource_version="7"))
    assert not cache.store_pod(replace(pod, resource_version="7"))
    assert (cache.jobs, cache.pods) == ({}, {})


def test_what_is_gone_is_remembered_for_as_long_as_a_watch_may_tell_of_it() -> None:
    now = 0.0
    versions = LastVersions(lambda: now)
    versions.note("a", "10")
    versions.note("a", "9")
    assert (versions.are_later("a", "9"), versions.are_later("a", "10"), versions.are_later("b", "1")) == (
        True,
        False,
        False,
    )
    now = 299.0
    assert versions.are_later("a", "9")
    now = 301.0
    assert not versions.are_later("a", "9")
