"""The loads: one run after another on an idle cluster, a burst of many, and bare Jobs to see where the limit lies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass

from bench.load import JOBS, RUNS, Api, JsonObject, bare_job, connect, training_run
from bench.timeline import Timeline, percentile
from bench.usage import writes


@dataclass(frozen=True)
class Figures:
    """What one load came to; times in seconds."""

    load: str
    runs: int
    jobs: int
    job_p50: float
    job_p99: float
    jobs_per_second: float
    seconds_to_complete: float | None
    writes_per_run: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """As it is kept."""
        return asdict(self)


async def idle(api: Api, runs: int, pause: float) -> Figures:
    """Create runs one after another, each once the one before has its Job and `pause` seconds have passed."""
    async with connect(api) as load:
        before = writes(await load.metrics())
        async with load.watching():
            for index in range(runs):
                await load.create(RUNS, training_run(f"idle-{index}"))
                await load.until(_with_jobs(index + 1), seconds=30)
                await asyncio.sleep(pause)
            await load.until(lambda line: len(line.completed) == runs, seconds=120)
        figures = _figures("idle", load.timeline, runs, before, writes(await load.metrics()))
        await load.delete_all(RUNS)
    return figures


async def burst(api: Api, runs: int, creators: int) -> tuple[Figures, JsonObject]:
    """Create many runs at once and wait until every one is Complete. Returns one of the operator's Jobs, too."""
    async with connect(api) as load:
        before = writes(await load.metrics())
        async with load.watching():
            await load.create_all(RUNS, [training_run(f"burst-{index}") for index in range(runs)], creators)
            await load.until(lambda line: len(line.completed) == runs, seconds=600)
        figures = _figures("burst", load.timeline, runs, before, writes(await load.metrics()))
        job = await load.some_job()
        await load.delete_all(RUNS)
    return figures, job


async def by_hand(api: Api, job: JsonObject, runs: int, creators: int) -> Figures:
    """Create many runs, and after each its Job as the operator would, with no operator at all.

    No operator can be quicker on this machine: this leaves out all of its looking, deciding and telling.
    """
    async with connect(api) as load:
        before = writes(await load.metrics())
        async with load.watching():
            bodies = [training_run(f"by-hand-{index}") for index in range(runs)]
            await load.create_all_with_jobs(bodies, job, creators)
            await load.until(lambda line: len(line.job_seen) == runs, seconds=300)
        figures = _figures("burst by hand", load.timeline, runs, before, writes(await load.metrics()))
        await load.delete_all(RUNS)
    return figures


async def bare_jobs(api: Api, runs: int, creators: int) -> Figures:
    """Create Jobs without any operator: what the API server and the Job controller can do on this machine."""
    async with connect(api) as load:
        before = writes(await load.metrics())
        async with load.watching():
            await load.create_all(JOBS, [bare_job(f"bare-{index}") for index in range(runs)], creators)
            await load.until(lambda line: len(line.job_seen) == runs, seconds=300)
        figures = _figures("bare Jobs", load.timeline, runs, before, writes(await load.metrics()))
        await load.delete_all(JOBS)
    return figures


def _with_jobs(count: int) -> Callable[[Timeline], bool]:
    return lambda line: len(line.job_seen) >= count


def _figures(load: str, line: Timeline, runs: int, before: dict[str, int], after: dict[str, int]) -> Figures:
    latencies = line.latencies()
    spent = {key: round((count - before.get(key, 0)) / runs, 2) for key, count in sorted(after.items())}
    return Figures(
        load=load,
        runs=runs,
        jobs=len(line.job_seen),
        job_p50=percentile(latencies, 50),
        job_p99=percentile(latencies, 99),
        jobs_per_second=line.jobs_per_second(),
        seconds_to_complete=line.seconds_to_complete(),
        writes_per_run={key: each for key, each in spent.items() if each >= 0.05},
    )
