"""What is remembered, and what an old event may not undo."""

from __future__ import annotations

from dataclasses import replace

import pytest
from modelyard_operator.kube.parse import ParseError
from modelyard_operator.kube.stored_run import StoredRun
from modelyard_operator.reconcile.cache import Cache

from tests.unit.operator_.world import World, a_run


@pytest.fixture
def world() -> World:
    return a_run().begun().pod_running()


def versioned(run: StoredRun, version: int, **fields: object) -> StoredRun:
    return replace(run, resource_version=str(version), **fields)  # type: ignore[arg-type]


def test_an_old_event_does_not_undo_what_is_known(world: World) -> None:
    cache = Cache()
    assert cache.store_run(versioned(world.stored(), 10))
    assert not cache.store_run(versioned(world.stored(), 9))
    assert not cache.store_run(versioned(world.stored(), 10))
    assert cache.runs[world.run.key].resource_version == "10"


def test_a_list_that_shows_less_than_was_known_before_it_began_comes_from_a_restored_backup(world: World) -> None:
    cache, restored = Cache(), versioned(world.stored(), 9)
    cache.store_run(versioned(world.stored(), 10))
    assert cache.store_run(restored, before=cache.runs[world.run.key])
    assert cache.runs[world.run.key] is restored


def test_what_was_learned_while_the_list_was_on_its_way_holds(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.stored(), 8))
    before = cache.runs[world.run.key]
    cache.store_run(versioned(world.stored(), 10))
    assert not cache.store_run(versioned(world.stored(), 9), before)
    assert cache.runs[world.run.key].resource_version == "10"


def test_versions_are_numbers(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.stored(), 9))
    assert cache.store_run(versioned(world.stored(), 10))


def test_a_run_of_the_same_name_takes_the_place_of_the_old_one(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.stored(), 1))
    cache.store_run(versioned(world.stored(), 2, uid="another"))
    assert cache.key_of(world.run.uid) is None
    assert cache.key_of("another") == world.run.key


def test_the_late_deletion_of_the_old_one_does_not_drop_the_new_one(world: World) -> None:
    cache = Cache()
    cache.store_run(versioned(world.stored(), 2, uid="another"))
    assert not cache.drop_run(versioned(world.stored(), 3))
    assert world.run.key in cache.runs


def test_jobs_and_pods_are_found_by_their_run(world: World) -> None:
    cache = Cache()
    cache.store_job(world.jobs[1])
    cache.store_pod(world.pods[1])
    observed = cache.observe(world.run)
    assert (observed.jobs, observed.pods) == ((world.jobs[1],), (world.pods[1],))
    cache.drop_job(world.jobs[1])
    cache.drop_pod(world.pods[1])
    assert cache.observe(world.run).jobs == ()
    assert cache.observe(world.run).pods == ()


def test_what_is_kept_of_a_run_makes_the_same_sense_as_the_run(world: World) -> None:
    assert world.stored().observed() == world.run
    assert world.stored().with_status(world.status.to_json_object(), "2").observed().status == world.status


def test_a_status_that_nobody_of_us_wrote_is_said_to_be_unreadable(world: World) -> None:
    with pytest.raises(ParseError, match="vision/digits is not readable: phase"):
        world.stored().with_status({"phase": "Dreaming"}, "2").observed()


def test_a_spec_of_another_version_is_said_to_be_unreadable(world: World) -> None:
    stored = replace(world.stored(), spec=b'{"task": "prophecy"}')
    assert stored.observed().spec is None
    assert "spec.task" in stored.observed().spec_error


def test_fields_of_a_later_version_do_no_harm(world: World) -> None:
    status = world.status.to_json_object() | {"fromTheFuture": 1}
    assert world.stored().with_status(status, "2").observed().status == world.status


def test_whether_anybody_else_is_at_work(world: World) -> None:
    cache = Cache()
    (mine,) = world.observed().pods
    cache.store_pod(mine)
    assert not cache.works_beside(world.run.uid)
    cache.store_pod(replace(mine, uid="ended", run_uid="another", phase="Succeeded"))
    assert not cache.works_beside(world.run.uid)
    cache.store_pod(replace(mine, uid="at-work", run_uid="another"))
    assert cache.works_beside(world.run.uid)


@pytest.mark.parametrize(
    ("world", "waits"),
    [(a_run(), True), (a_run().looked_at(), False), (a_run().begun(), False)],
    ids=["nothing was done yet", "its Job was made, and nothing said yet", "the Job stands in status"],
)
def test_a_run_waits_for_its_first_job_until_that_is_made(world: World, waits: bool) -> None:
    cache = Cache()
    assert not cache.waits_for_its_first_job(world.run.key)
    cache.store_run(world.stored())
    for job in world.jobs.values():
        cache.store_job(job)
    assert cache.waits_for_its_first_job(world.run.key) == waits
