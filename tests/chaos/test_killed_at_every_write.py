"""The operator is killed before and after each of its writes: what is left is what an undisturbed life leaves."""

from __future__ import annotations

import pytest

from tests.chaos.conftest import OpenLane
from tests.chaos.faults import Kill, Side
from tests.chaos.lives import LIVES, SMOOTH
from tests.chaos.recording import Recording
from tests.chaos.stories import Story, tell

LANES = 3


def killed(recording: Recording) -> list[Story]:
    """A story for each write that was recorded and each side of it: a new write joins by itself."""
    pairs = [(write, side) for write in recording.writes for side in Side]
    return [
        Story(recording, Kill(write.of(f"{recording.life.name}-{number}"), side), number)
        for number, (write, side) in enumerate(pairs, 1)
    ]


async def test_of_a_smooth_life(recordings: dict[str, Recording], open_lane: OpenLane) -> None:
    await tell(open_lane, killed(recordings[SMOOTH.name]), lanes=LANES)


PARTS = 4


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("life", [life.name for life in LIVES if life is not SMOOTH])
async def test_of_a_life_of_several_attempts(
    recordings: dict[str, Recording], open_lane: OpenLane, life: str, part: int
) -> None:
    await tell(open_lane, killed(recordings[life])[part::PARTS], lanes=LANES)
