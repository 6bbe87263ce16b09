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
class Figures:
    """What one load came to; times in seconds.

    Attributes:
        cpu_to_last_job: CPU milliseconds for each run, by process, from the first request to the last Job.
    """

    load: str
    runs: int
    jobs: int
    job_p50: float
    job_p99: float
    jobs_per_second: float
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
                await load.until(_with_jobs(index + 1), seconds=30)
                await asyncio.sleep(pause)
            begun.jobs_there()
            await load.until(lambda line: len(line.completed) == runs, seconds=120)
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
            await load.until(lambda line: len(line.completed) == runs, seconds=600)
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


def _with_jobs(count: int) -> Callable[[Timeline], bool]:
    return lambda line: len(line.job_seen) >= count


class _Begun:
    """A load under way: what was written and spent before it."""

    def __init__(self, runs: int, written: dict[str, int], cpu: Cpu) -> None:
        self._runs, self._written, self._cpu = runs, written, cpu
        self._before = cpu()
        self._to_last_job: dict[str, float] = {}

    async def all_jobs(self, load: Load, seconds: float) -> None:
        """Wait until every run has its Job.

        Raises:
            TimeoutError: some have none.
        """
        if not await load.until(_with_jobs(self._runs), seconds):
            raise TimeoutError(f"{len(load.timeline.job_seen)} of {self._runs} runs have a Job after {seconds:.0f} s")
        self.jobs_there()

    def jobs_there(self) -> None:
        """Every run has its Job."""
        now = self._cpu()
        self._to_last_job = {
            name: round(1000 * (now[name] - spent) / self._runs, 2) for name, spent in self._before.items()
        }

    def figures(self, load: str, line: Timeline, written: dict[str, int]) -> Figures:
        """What it came to, given what is written by now."""
        latencies = line.latencies()
        each = {key: (count - self._written.get(key, 0)) / self._runs for key, count in sorted(written.items())}
        return Figures(
            load=load,
            runs=self._runs,
            jobs=len(line.job_seen),
            job_p50=percentile(latencies, 50),
            job_p99=percentile(latencies, 99),
            jobs_per_second=line.jobs_per_second(),
            seconds_to_complete=line.seconds_to_complete(),
            writes_per_run={key: round(count, 2) for key, count in each.items() if count >= 0.05},
            cpu_to_last_job=self._to_last_job,
        )
