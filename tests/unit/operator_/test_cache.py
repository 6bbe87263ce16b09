"""What is remembered, and what an old event may not undo."""

from __future__ import annotations

from dataclasses import replace

import pytest
from modelyard_operator.domain.observed import ObservedRun
from modelyard_operator.reconcile.cache import Cache

from tests.unit.operator_.world import World, a_run


@pytest.fixture
def world() -> World:
    return a_run().begun().pod_running()


def versioned(run: ObservedRun, version: int, **fields: object) -> ObservedRun:
    return replace(run, resource_version=str(version), **fields)  # type: ignore[arg-type]


def test_an_old_event_does_not_undo_what_is_known(world: World) -> None:
    cache = Cache()
    assert cache.store_run(versioned(world.run, 10))
    assert not cache.store_run(versioned(world.run, 9))
    assert not cache.store_run(versioned(world.run, 10))
    assert cache.runs[world.run.key].resource_version == "10"


def test_versions_are_numbers(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.run, 9))
    assert cache.store_run(versioned(world.run, 10))


def test_a_run_of_the_same_name_takes_the_place_of_the_old_one(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.run, 1))
    cache.store_run(versioned(world.run, 2, uid="another"))
    assert cache.key_of(world.run.uid) is None
    assert cache.key_of("another") == world.run.key


def test_the_late_deletion_of_the_old_one_does_not_drop_the_new_one(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.run, 2, uid="another"))
    assert not cache.drop_run(versioned(world.run, 3))
    assert world.run.key in cache.runs


def test_jobs_and_pods_are_found_by_their_run(world: World) -> None:
    cache = Cache()
    cache.store_job(world.jobs[1])
    cache.store_pod(world.pods[1])
    observed = cache.observe(world.run)
    assert (observed.jobs, observed.pods) == ((world.jobs[1],), (world.pods[1],))
    cache.drop_job(world.jobs[1])
    cache.drop_pod(world.pods[1])
    assert cache.observe(world.run).jobs == cache.observe(world.run).pods == ()
