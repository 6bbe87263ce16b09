"""How long the next attempt waits, and that many attempts make no large status."""

from __future__ import annotations

from datetime import timedelta

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.status import Attempt, TrainingRunStatus
from modelyard_operator.domain.pacing import counts, retry_delay

from tests.unit.operator_.world import NOON, SETTINGS, World, a_run

INT, L, S, E = Reason.INTERRUPTED, Reason.LOST, Reason.SUSPENDED, Reason.INTERNAL_ERROR
OOM, DIV = Reason.OUT_OF_MEMORY, Reason.DIVERGED


def attempts(*told: tuple[Reason, int]) -> list[Attempt]:
    return [
        Attempt(number=number, batch_size=1, job_name="j", started_at=NOON, ended_at=NOON, reason=reason, epoch=epoch)
        for number, (reason, epoch) in enumerate(told, 1)
    ]


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (((INT, 0),), True),
        (((INT, 1),), False),
        (((L, 1),), False),
        (((INT, 1), (INT, 0)), False),
        (((E, 5), (INT, 0)), False),
        (((INT, 5), (E, 9)), True),
        (((Reason.STORE_UNREACHABLE, 0),), True),
        (((INT, 5), (Reason.STORE_UNREACHABLE, 0)), False),
        (((S, 0),), False),
        (((OOM, 0),), False),
        (((DIV, 0),), False),
        (((Reason.HOST_OUT_OF_MEMORY, 0),), True),
    ],
)
def test_which_use_up_a_retry(told: tuple[tuple[Reason, int], ...], counted: bool) -> None:
    assert counts(attempts(*told)) is counted


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        # Each a further epoch
        (((INT, 1), (INT, 2), (L, 3), (INT, 4), (INT, 5)), 0),
        # None a further epoch: the first two at once, then longer and longer
        (((INT, 3), (INT, 3)), 0),
        (((INT, 3), (INT, 3), (INT, 3)), 0),
        (((INT, 3), (INT, 3), (INT, 3), (INT, 3)), 10),
        (((INT, 3), (INT, 3), (L, 2), (INT, 0), (INT, 3)), 20),
        (((INT, 3), *((INT, 3),) * 12), 600),
        (((INT, 3), *((INT, 3),) * 99), 600),
        # A further epoch ends the row, and so does an end of another kind
        (((INT, 3), (INT, 3), (INT, 3), (INT, 3), (INT, 4)), 0),
        (((INT, 3), (INT, 3), (INT, 3), (INT, 3), (E, 3), (INT, 3)), 0),
        # Suspending is done by hand: it neither waits nor counts
        (((INT, 3), (INT, 3), (INT, 3), (S, 3)), 0),
        (((INT, 3), (INT, 3), (S, 3), (INT, 3), (S, 3), (INT, 3)), 10),
    ],
)
def test_interruptions_that_bring_nothing_wait_longer_and_longer(
    told: tuple[tuple[Reason, int], ...], seconds: int
) -> None:
    assert retry_delay(attempts(*told), 0, SETTINGS) == timedelta(seconds=seconds)


def interrupted(world: World, epoch: int, node: str = "gpu-1") -> World:
    world.pod_running().heard(epoch=epoch, epochs=30).looked_at()
    world.pod_disrupted(node).pod_exits(12).looked_at()
    return world


def test_a_run_on_a_node_that_always_throws_it_out_does_not_spin() -> None:
    world = a_run(recovery={"maxRetries": 0}).begun()
    waited = []
    for _ in range(7):
        before = world.now
        interrupted(world, epoch=3)
        while world.looked_at().status.attempts[-1].ended_at is not None:
            world.later(seconds=5)
        waited.append((world.now - before).total_seconds())
    assert (waited, world.status.retries) == ([0, 0, 0, 10, 20, 40, 80], 0)


def test_a_hundred_attempts_make_no_large_status() -> None:
    world = a_run(recovery={"maxRetries": 100}).begun()
    for _ in range(105):
        interrupted(world, epoch=3, node="a-very-long-word" * 200).later(minutes=10).looked_at()
    kept = world.status.attempts
    assert (len(kept), kept[-1].number) == (100, 106)
    assert [len(attempt.message or "") <= 256 for attempt in kept] == [True] * 90 + [False] * 9 + [True]
    assert (kept[0].message or "").endswith(" ...")
    assert len(world.status.model_dump_json()) < 128 * 1024
    TrainingRunStatus.model_validate(world.status.to_json_object())
