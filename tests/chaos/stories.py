"""Many stories, each one life with faults, on a few lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.chaos.conftest import OpenLane
from tests.chaos.faults import Kill, Refuse
from tests.chaos.lane import Lane
from tests.chaos.recording import Recording

StruckWrite = Kill | Refuse


@dataclass(frozen=True)
class Story:
    """A life in which one write does not go as it should. The fault's write names no run yet."""

    recording: Recording
    fault: StruckWrite
    number: int

    @property
    def run(self) -> str:
        """A name that is no word of what is said of the run."""
        return f"{self.recording.life.name}-{self.number}"


async def tell(open_lane: OpenLane, stories: Iterable[Story], *, lanes: int) -> None:
    """Tell the stories, one after another on each lane.

    Raises:
        ExceptionGroup: of the stories that ended other than they should.
    """
    waiting = list(reversed(list(stories)))
    failures: list[Exception] = []

    async def work(lane: Lane) -> None:
        tails: list[asyncio.Task[None]] = []
        await lane.begin_operator()
        while waiting:
            story = waiting.pop()
            try:
                await _live(lane, story)
            except Exception as failure:
                failures.append(_named(failure, story))
            else:
                tails.append(asyncio.create_task(_end(lane, story, failures)))
        await asyncio.gather(*tails)

    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(*(stack.enter_async_context(open_lane()) for _ in range(lanes)))
        await asyncio.gather(*(work(lane) for lane in opened))
    if failures:
        raise ExceptionGroup(f"{len(failures)} stories ended other than they should", failures)


async def _live(lane: Lane, story: Story) -> None:
    if not story.fault.write.run:
        # What is written for all runs is written once by an operator: a new one does so again.
        await lane.replace_operator()
        lane.proxy.count_anew("")
    await lane.live(story.run, story.recording.life, story.fault)


async def _end(lane: Lane, story: Story, failures: list[Exception]) -> None:
    """What is still to come of a run that is over, while the lane lives the next."""
    try:
        await lane.has_left(story.run, story.recording.left)
        assert story.fault in lane.proxy.happened, "the write never came"
    except Exception as failure:
        failures.append(_named(failure, story))


def _named(failure: Exception, story: Story) -> Exception:
    failure.add_note(f"in the life {story.run}, {story.fault}")
    return failure
