"""Clocks that stand still while a run is suspended or waits in a queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.status import Phase, TrainingRunStatus
from modelyard_operator.domain.clock import Clock
from modelyard_operator.domain.decision import LimitJob

from tests.unit.operator_.world import NOON, World, a_run

HOUR = {"activeDeadline": "1h"}


def suspended(world: World) -> World:
    """The pod has saved its work and is gone."""
    world.edited(suspend=True).looked_at().pod_exits(12).looked_at()
    assert world.status.phase is Phase.SUSPENDED
    return world


class TestSuspended:
    def test_time_does_not_count(self) -> None:
        world = suspended(a_run(recovery=HOUR).begun().pod_running().later(minutes=20))
        assert (world.status.active_seconds, world.status.active_since) == (1200, None)
        world.later(days=3).edited(suspend=False).looked_at()
        assert world.status.active_since == world.now
        assert world.jobs[2].active_deadline_seconds == 40 * 60
        world.pod_running()
        assert world.decide().requeue_after == timedelta(minutes=40)
        world.later(minutes=39).looked_at()
        assert world.status.attempts[-1].reason is None
        world.later(minutes=1).looked_at()
        assert world.status.attempts[-1].reason == Reason.ACTIVE_DEADLINE_EXCEEDED

    def test_silence_while_suspended_is_no_stall(self) -> None:
        world = suspended(a_run(recovery={"stallTimeout": "30m"}).begun().pod_running().heard(epoch=1).looked_at())
        world.report = None
        world.later(days=1).edited(suspend=False).looked_at().pod_running()
        assert world.later(hours=1).looked_at().status.attempts[-1].reason is None
        world.heard(epoch=1).looked_at().later(minutes=30).looked_at()
        assert world.status.attempts[-1].reason == Reason.STALLED

    def test_again_and_again(self) -> None:
        world = a_run(recovery=HOUR).begun()
        for number in range(1, 6):
            suspended(world.pod_running().later(minutes=10)).later(days=1)
            assert world.status.active_seconds == number * 600
            world.edited(suspend=False).looked_at()
        world.pod_running().later(minutes=10).looked_at()
        assert world.status.attempts[-1].reason == Reason.ACTIVE_DEADLINE_EXCEEDED

    def test_the_end_of_the_pod_stops_the_clock_whenever_it_is_learnt(self) -> None:
        world = a_run(recovery=HOUR).begun().pod_running().later(minutes=5).edited(suspend=True).looked_at()
        world.pod_exits(12).later(hours=10).looked_at()
        assert (world.status.phase, world.status.active_seconds) == (Phase.SUSPENDED, 300)

    def test_a_run_that_was_suspended_before_it_began_has_used_nothing(self) -> None:
        world = a_run(recovery=HOUR, suspend=True).looked_at().later(days=1).looked_at()
        assert (world.status.active_seconds, world.status.active_since) == (0, None)
        world.edited(suspend=False).looked_at()
        assert world.jobs[1].active_deadline_seconds == 3600

    def test_the_deadline_may_be_shorter_than_what_is_used_by_then(self) -> None:
        world = suspended(a_run(recovery=HOUR).begun().pod_running().later(minutes=20)).later(days=1)
        world.edited(suspend=False, recovery={"activeDeadline": "10m"}).looked_at()
        assert (world.status.phase, world.status.reason) == (Phase.FAILED, Reason.ACTIVE_DEADLINE_EXCEEDED)

    def test_it_stops_at_the_end(self) -> None:
        world = a_run().begun().pod_running().later(minutes=7).pod_exits(0).later(hours=1).looked_at()
        assert (world.status.active_seconds, world.status.active_since) == (420, None)


class TestQueued:
    def test_time_in_a_queue_does_not_count(self) -> None:
        recovery = HOUR | {"startDeadline": "10m"}
        world = a_run(recovery=recovery, resources={"queue": "team-a"}).begun().later(seconds=2).looked_at()
        assert (world.status.reason, world.status.active_since) == ("Queued", None)
        assert world.status.active_seconds == 0
        assert world.later(days=2).decide().requeue_after is None
        assert world.decide().actions == ()
        world.looked_at().job_changed(suspended=False).pod_created().looked_at()
        assert world.status.attempts[0].reason is None
        assert world.status.active_since == world.now
        assert world.decide().requeue_after == timedelta(minutes=10)
        assert not [action for action in world.decide().actions if isinstance(action, LimitJob)]
        world.later(minutes=10).looked_at()
        assert world.status.attempts[0].reason == Reason.START_DEADLINE_EXCEEDED

    def test_a_job_that_is_suspended_again_has_its_deadline_lowered_by_what_it_used(self) -> None:
        """Its own clock starts anew when it is released."""
        world = a_run(recovery=HOUR, resources={"queue": "team-a"}).begun().looked_at()
        world.job_changed(suspended=False).pod_running().heard(epoch=1).looked_at().later(minutes=20)
        world.job_changed(suspended=True).pod_gone()
        assert world.decide().requeue_after == timedelta(0)
        world.looked_at()
        assert (world.status.reason, world.status.active_seconds) == ("Queued", 1200)
        assert world.decide().actions == (LimitJob(world.jobs[1].name, "activeDeadlineSeconds", 2400),)
        world.looked_at().later(days=1)
        decision = world.decide()
        assert (decision.status, decision.actions, decision.requeue_after) == (world.status, (), None)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (TrainingRunStatus(), 0),
        (TrainingRunStatus(phase=Phase.RUNNING, started_at=NOON), 60),
        (TrainingRunStatus(phase=Phase.SUSPENDED, started_at=NOON), 0),
        (TrainingRunStatus(phase=Phase.PENDING, reason="Queued", started_at=NOON), 0),
        (TrainingRunStatus(phase=Phase.RUNNING, started_at=NOON, active_seconds=5, active_since=NOON), 65),
        (TrainingRunStatus(phase=Phase.SUSPENDED, started_at=NOON, active_seconds=5), 5),
        (TrainingRunStatus(phase=Phase.RUNNING, started_at=NOON, active_since=NOON + timedelta(hours=1)), 0),
    ],
)
def test_what_a_clock_shows_also_of_runs_that_an_older_operator_began(status: TrainingRunStatus, shown: int) -> None:
    assert Clock.of(status).at(NOON + timedelta(minutes=1)) == timedelta(seconds=shown)
