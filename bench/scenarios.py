"""The loads: one run after another on an idle cluster, a burst of many, and others to see where the limit lies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass

from bench.load import JOBS, RUNS, Api, JsonObject, Load, bare_job, connect, training_run
from bench.timeline import Timeline, percentile
from bench.usage import writes

Cpu = Callable[[], dict[str, float]]
"""CPU seconds that each process has spent so far, by its name."""


@dataclass(frozen=True)
class Times:
    """Seconds from the request for a run: the median, what 99 of 100 do not exceed, and how many came in a second."""

    p50: float
    p99: float
    per_second: float


@dataclass(frozen=True)
class Figures:
    """What one load came to; times in seconds.

    Attributes:
        job: until the API server had made a run's Job.
        job_seen: until a watch showed it, which falls behind where the API server has more to do than it can.
        cpu_to_last_job: CPU milliseconds for each run, by process, from the first request to the last Job.
    """

    load: str
    runs: int
    job: Times
    job_seen: Times
    seconds_to_complete: float | None
    writes_per_run: dict[str, float]
    cpu_to_last_job: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """As it is kept."""
        return asdict(self)


async def idle(api: Api, runs: int, pause: float, cpu: Cpu) -> Figures:
    """Create runs one after another, each once the one before has its Job and `pause` seconds have passed."""
    async with connect(api) as load:
        begun = _Begun(runs, writes(await load.metrics()), cpu)
        async with load.watching():
            for index in range(runs):
                await load.create(RUNS, training_run(f"idle-{index}"))
                await load.until(_jobs_seen(index + 1), 30, "the Job of one run to be seen")
                await asyncio.sleep(pause)
            begun.jobs_there()
            await load.until(_complete(runs), 120, "every run to be Complete")
        figures = begun.figures("idle", load.timeline, writes(await load.metrics()))
        await load.delete_all(RUNS)
    return figures


async def burst(api: Api, runs: int, creators: int, cpu: Cpu) -> tuple[Figures, JsonObject]:
    """Create many runs at once and wait until every one is Complete. Returns one of the operator's Jobs, too."""
    async with connect(api) as load:
        begun = _Begun(runs, writes(await load.metrics()), cpu)
        async with load.watching():
            await load.create_all(RUNS, [training_run(f"burst-{index}") for index in range(runs)], creators)
            await begun.all_jobs(load, seconds=600)
            await load.until(_complete(runs), 600, "every run to be Complete")
        figures = begun.figures("burst", load.timeline, writes(await load.metrics()))
        job = await load.some_job()
        await load.delete_all(RUNS)
    return figures, job


async def by_hand(api: Api, job: JsonObject, runs: int, creators: int, cpu: Cpu) -> Figures:
    """Create many runs, and after each its Job as the operator would, with no operator at all.

    No operator can be quicker on this machine: this leaves out all of its looking, deciding and telling.
    """
    async with connect(api) as load:
        begun = _Begun(runs, writes(await load.metrics()), cpu)
        async with load.watching():
            bodies = [training_run(f"by-hand-{index}") for index in range(runs)]
            await load.create_all_with_jobs(bodies, job, creators)
            await begun.all_jobs(load, seconds=300)
        figures = begun.figures("burst by hand", load.timeline, writes(await load.metrics()))
        await load.delete_all(RUNS)
    return figures


async def bare_jobs(api: Api, runs: int, creators: int, cpu: Cpu) -> Figures:
    """Create Jobs without any operator: what the API server and the Job controller can do on this machine."""
    async with connect(api) as load:
        begun = _Begun(runs, writes(await load.metrics()), cpu)
        async with load.watching():
            await load.create_all(JOBS, [bare_job(f"bare-{index}") for index in range(runs)], creators)
            await begun.all_jobs(load, seconds=300)
        figures = begun.figures("bare Jobs", load.timeline, writes(await load.metrics()))
        await load.delete_all(JOBS)
    return figures


def _times(line: Timeline, moments: dict[str, float]) -> Times:
    latencies = line.latencies(moments)
    return Times(percentile(latencies, 50), percentile(latencies, 99), line.a_second(moments))


def _jobs_made(count: int) -> Callable[[Timeline], bool]:
    # Of which run each of them is need not be asked while there are too few.
    return lambda line: len(line.job_made) >= count and len(line.jobs_by_run()) >= count


def _jobs_seen(count: int) -> Callable[[Timeline], bool]:
    return lambda line: len(line.job_seen) >= count


def _complete(count: int) -> Callable[[Timeline], bool]:
    return lambda line: len(line.completed) >= count


class _Begun:
    """A load under way: what was written and spent before it."""

    def __init__(self, runs: int, written: dict[str, int], cpu: Cpu) -> None:
        self._runs, self._written, self._cpu = runs, written, cpu
        self._before = cpu()
        self._to_last_job: dict[str, float] = {}

    async def all_jobs(self, load: Load, seconds: float) -> None:
        """Wait until every run has its Job and that was seen.

        Raises:
            TimeoutError: some have none.
        """
        await load.until(_jobs_made(self._runs), seconds, "every run to have its Job")
        self.jobs_there()
        await load.until(_jobs_seen(self._runs), seconds, "every Job to be seen")

    def jobs_there(self) -> None:
        """Every run has its Job."""
        now = self._cpu()
        self._to_last_job = {
            name: round(1000 * (now[name] - spent) / self._runs, 2) for name, spent in self._before.items()
        }

    def figures(self, load: str, line: Timeline, written: dict[str, int]) -> Figures:
        """What it came to, given what is written by now."""
        each = {key: (count - self._written.get(key, 0)) / self._runs for key, count in sorted(written.items())}
        return Figures(
            load=load,
            runs=self._runs,
            job=_times(line, line.jobs_by_run()),
            job_seen=_times(line, line.job_seen),
            seconds_to_complete=line.seconds_to_complete(),
            writes_per_run={key: round(count, 2) for key, count in each.items() if count >= 0.05},
            cpu_to_last_job=self._to_last_job,
        )
