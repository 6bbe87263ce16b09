"""At each write the operator is killed, before and after it, or gets an error: the run ends as it would have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import pytest

from tests.chaos.conftest import OpenLane
from tests.chaos.faults import Kill, Refuse, Side
from tests.chaos.lives import DELETED, LIVES, QUEUED, SMOOTH, SUSPENDED, TRAINED
from tests.chaos.recording import Recording
from tests.chaos.stories import Story, tell
from tests.unit.trainer.conftest import RealStore

LANES = 3
AT_ONCE = 6
LONGER_LIVES = [life.name for life in LIVES if life is not SMOOTH]
PARTS = dict.fromkeys(LONGER_LIVES, 4) | {QUEUED.name: 2, DELETED.name: 1}
"""In how many parts a life is told, each of which takes half a minute."""
ERRORS = ((409, "Conflict", None), (429, "TooManyRequests", 1), (500, "InternalError", None))


def killed(recording: Recording, sides: Iterable[Side] = Side) -> list[Story]:
    """A story for each write that was recorded and each side of it: a new write joins by itself."""
    pairs = [(write, side) for write in recording.writes for side in sides]
    return [
        Story(recording, Kill(write.of(f"{recording.life.name}-{number}"), side), number)
        for number, (write, side) in enumerate(pairs, 1)
    ]


def refused(recording: Recording) -> list[Story]:
    """A story for each write that was recorded and each of the errors."""
    pairs = [(write, error) for write in recording.writes for error in ERRORS]
    return [
        Story(recording, Refuse(write.of(f"{recording.life.name}-{number}"), *error), number)
        for number, (write, error) in enumerate(pairs, 1)
    ]


async def test_of_a_smooth_life(recordings: dict[str, Recording], open_lane: OpenLane) -> None:
    smooth = recordings[SMOOTH.name]
    # Beside each other, as both mostly wait.
    async with asyncio.TaskGroup() as together:
        together.create_task(tell(open_lane, killed(smooth), lanes=LANES))
        together.create_task(tell(open_lane, refused(smooth), lanes=1, at_once=AT_ONCE))


@pytest.mark.in_turn("a real trainer")
@pytest.mark.parametrize("side", Side)
async def test_killed_beside_a_real_trainer(
    recordings: dict[str, Recording], open_lane: OpenLane, data: RealStore, side: Side
) -> None:
    """Status, Jobs and all that lies in S3 are what they are without faults."""
    certain = {write.of(SMOOTH.name) for write in recordings[SMOOTH.name].writes}
    stories = [
        replace(story, certain=story.fault.write.of(SMOOTH.name) in certain)
        for story in killed(recordings[TRAINED.name], [side])
    ]
    assert len(stories) > len(certain)
    await tell(partial(open_lane, store=data), stories, lanes=LANES)


async def test_a_deletion_of_a_job_that_meets_a_conflict_is_repeated(
    recordings: dict[str, Recording], open_lane: OpenLane
) -> None:
    """It was taken for another Job's, and the attempt trained on until the next sweep."""
    told = [each for each in refused(recordings[SUSPENDED.name]) if str(each.fault) == "409 instead of DELETE jobs #1"]
    assert len(told) == 1
    await tell(open_lane, told, lanes=1)


@pytest.mark.in_turn("longer lives")
@pytest.mark.parametrize(("life", "part"), [(life, part) for life, parts in PARTS.items() for part in range(parts)])
async def test_killed_in_a_longer_life(
    recordings: dict[str, Recording], open_lane: OpenLane, life: str, part: int
) -> None:
    await tell(open_lane, killed(recordings[life])[part :: PARTS[life]], lanes=LANES)


@pytest.mark.in_turn("longer lives")
@pytest.mark.parametrize("life", LONGER_LIVES)
async def test_refused_in_a_longer_life(recordings: dict[str, Recording], open_lane: OpenLane, life: str) -> None:
    await tell(open_lane, refused(recordings[life]), lanes=1, at_once=AT_ONCE)
