"""What is shown of attempts that go on from a checkpoint."""

from __future__ import annotations

import random
from typing import Any

import pytest
from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.status import Checkpoint, Phase

from tests.unit.operator_.world import NOON, World, a_run, last_words

TRAINING, FETCHING = Stage.TRAINING, Stage.FETCHING


def saved(epoch: int, step: int = 0) -> Checkpoint:
    return Checkpoint(epoch=epoch, step=step, uri=f"s3://models/checkpoints/{epoch}-{step}/", taken_at=NOON)


def shown(world: World) -> tuple[int, int]:
    progress = world.status.progress
    assert progress is not None
    assert progress.display == f"{progress.epoch}/30"
    return progress.epoch, progress.percent


def interrupted(world: World, **words: Any) -> World:
    said = last_words(Reason.INTERRUPTED, attempt=world.attempt, **words)
    return world.pod_disrupted().pod_exits(12, said).looked_at()


def test_a_report_names_the_checkpoint_and_where_the_attempt_went_on() -> None:
    world = a_run().begun().pod_running()
    world.heard(TRAINING, epoch=7, epochs=30, percent=23, checkpoint=saved(6)).looked_at()
    assert (world.status.checkpoint, world.status.attempts[0].resumed_from_epoch) == (saved(6), None)
    interrupted(world, epoch=7, checkpoint=saved(7, 12))
    assert world.status.checkpoint == saved(7, 12)
    world.looked_at().pod_running().heard(TRAINING, epoch=7, epochs=30, percent=23, resumed_from_epoch=7).looked_at()
    assert (world.status.attempts[1].resumed_from_epoch, world.status.attempts[1].epoch) == (7, 7)
    assert world.status.checkpoint == saved(7, 12)


def test_last_words_tell_it_where_no_report_came_through() -> None:
    world = a_run().begun().pod_running()
    interrupted(world, epoch=9, resumed_from_epoch=4, checkpoint=saved(9))
    assert (world.status.attempts[0].resumed_from_epoch, world.status.checkpoint) == (4, saved(9))


def test_from_the_very_beginning_is_an_epoch_too() -> None:
    """A checkpoint inside the first epoch: no whole one is done, and yet it went on from somewhere."""
    told = a_run().begun().pod_running().heard(TRAINING, epochs=30, resumed_from_epoch=0).looked_at()
    for world in (told, interrupted(a_run().begun().pod_running(), resumed_from_epoch=0)):
        assert world.status.attempts[0].resumed_from_epoch == 0


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        # Looking for its checkpoint, and then going on from there
        (
            [(FETCHING, {}), (Stage.CHECKING, {}), (TRAINING, {"epoch": 6, "percent": 20, "resumed_from_epoch": 6})],
            [(6, 19), (6, 19), (6, 20)],
        ),
        # It says that it trains before it has looked, and then had to begin anew
        (
            [(FETCHING, {}), (TRAINING, {"epoch": 0}), (TRAINING, {"epoch": 1, "percent": 3})],
            [(6, 19), (6, 19), (1, 3)],
        ),
        # The newest was damaged: on from the one before it
        ([(TRAINING, {"epoch": 4, "percent": 13, "resumed_from_epoch": 4})], [(4, 13)]),
        # The first report is of later
        ([(TRAINING, {"epoch": 9, "percent": 30, "resumed_from_epoch": 6})], [(9, 30)]),
        # What it says of epochs is less than where it went on from, or falls: not believed
        (
            [(TRAINING, {"epoch": 0, "resumed_from_epoch": 6}), (TRAINING, {"epoch": 8}), (TRAINING, {"epoch": 2})],
            [(6, 0), (8, 0), (8, 0)],
        ),
        ([(FETCHING, {}), (Stage.EXPORTING, {"epoch": 30, "percent": 95})], [(6, 19), (30, 95)]),
    ],
)
def test_epochs_never_go_back_further_than_the_checkpoint_resumed_from(
    reports: list[tuple[Stage, dict[str, Any]]], expected: list[tuple[int, int]]
) -> None:
    world = a_run().begun().pod_running()
    world.heard(TRAINING, epoch=7, epochs=30, percent=23, checkpoint=saved(6)).looked_at()
    interrupted(world, epoch=7, checkpoint=saved(6)).looked_at()
    assert (world.attempt, *shown(world)) == (2, 6, 19)
    world.pod_running()
    seen = []
    for stage, told in reports:
        world.heard(stage, epochs=30, **told).looked_at()
        seen.append(shown(world))
    assert seen == expected


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_epoch_shown_is_never_before_the_newest_checkpoint(seed: int) -> None:
    """A trainer that tells the truth, sometimes unheard, interrupted again and again."""
    draw = random.Random(seed)
    world, kept = a_run(training={"epochs": 30}).begun(), 0
    while world.status.phase is not Phase.COMPLETE:
        resumed = epoch = kept
        world.pod_running()
        for stage in (FETCHING, Stage.CHECKING):
            if draw.random() < 0.5:
                world.heard(stage, epochs=30).looked_at()
                assert shown(world)[0] >= kept
        ended = False
        while not ended:
            epoch += 1
            if draw.random() < 0.6:
                kept = epoch
            told: dict[str, Any] = {
                "epoch": epoch,
                "percent": epoch * 3,
                "resumed_from_epoch": resumed,
                "checkpoint": saved(kept),
            }
            if draw.random() < 0.8:
                world.heard(TRAINING, epochs=30, **told).looked_at()
                assert shown(world)[0] == epoch
            ended = epoch == 30 or draw.random() < 0.2
        del told["percent"]
        if epoch == 30:
            world.pod_exits(0, last_words(Reason.COMPLETED, attempt=world.attempt, epochs=30, **told)).looked_at()
        else:
            interrupted(world, **told).later(minutes=11).looked_at()
            assert (world.status.checkpoint or saved(0)).epoch == kept
            assert shown(world)[0] >= kept
    assert shown(world)[0] == 30


def test_an_attempt_that_ends_unheard_has_done_no_epoch_and_loses_none() -> None:
    world = a_run().begun().pod_running()
    world.heard(TRAINING, epoch=7, epochs=30, percent=23, checkpoint=saved(6)).looked_at()
    interrupted(world, epoch=7).looked_at().pod_running().pod_disrupted().pod_exits(143).looked_at()
    assert (world.status.attempts[1].epoch, world.status.retries) == (0, 0)
    world.looked_at()
    assert (world.attempt, shown(world)) == (3, (6, 19))


def test_without_a_checkpoint_it_begins_at_nought() -> None:
    world = a_run().begun().pod_running().heard(TRAINING, epoch=7, epochs=30, percent=23).looked_at()
    interrupted(world, epoch=7).looked_at()
    assert shown(world) == (0, 0)
