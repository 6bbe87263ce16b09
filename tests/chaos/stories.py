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
    """A life in which one write does not go as it should. The fault's write names no run yet.

    Attributes:
        certain: whether every such life has that write; progress may be written once more, or once less.
    """

    recording: Recording
    fault: StruckWrite
    number: int
    certain: bool = True

    @property
    def run(self) -> str:
        """A name that is no word of what is said of the run."""
        return f"{self.recording.life.name}-{self.number}"


async def tell(open_lane: OpenLane, stories: Iterable[Story], *, lanes: int, at_once: int = 1) -> None:
    """Tell the stories, so many at once on each lane: one where the operator is killed, which is that of all of them.

    Raises:
        ExceptionGroup: of the stories that ended other than they should.
    """
    told = list(stories)
    # These come first and alone on their lane, since they need an operator that has written nothing yet.
    of_all = [story for story in reversed(told) if not story.fault.write.run]
    of_one = [story for story in reversed(told) if story.fault.write.run]
    failures: list[Exception] = []

    async def work_on(lane: Lane) -> None:
        await lane.begin_operator()
        await work(lane, of_all)
        await asyncio.gather(*(work(lane, of_one) for _ in range(at_once)))

    async def work(lane: Lane, waiting: list[Story]) -> None:
        tails: list[asyncio.Task[None]] = []
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
        await asyncio.gather(*(work_on(lane) for lane in opened))
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
        if story.certain:
            await lane.witness.until(lambda: story.fault in lane.proxy.happened, "the write came", 5)
    except Exception as failure:
        failures.append(_named(failure, story))


def _named(failure: Exception, story: Story) -> Exception:
    failure.add_note(f"in the life {story.run}, {story.fault}")
    return failure
