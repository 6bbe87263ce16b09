"""`make bench`: CR-to-Job latency, burst throughput, and what the operator spends, on a real API server with kwok.

Each load gets the same control plane; the operator is a process of its own. Figures are printed as a table and kept as
JSON. Latency is measured by one clock: from the moment that the request which creates the TrainingRun is sent to the
moment that the API server has made its Job, by its audit log, and to the moment that a watch shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import ssl
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml
from modelyard_api.crd import CRD_FILE
from modelyard_cluster.bare import CONTROLLER_MANAGER_LIMITS, BareControlPlane, BareOptions, bare_control_plane
from modelyard_cluster.definitions import install_definition
from rich.console import Console
from rich.table import Table

from bench.audit import audit_flags
from bench.load import Api
from bench.operator_process import operator_process
from bench.scenarios import Figures, Times, bare_jobs, burst, by_hand, idle
from bench.usage import usage

REPOSITORY = Path(__file__).parents[1]
CREATORS = 50
AUDIT_LOG = "audit.log"
KWOK_NODES = 20
GPUS_PER_NODE = 100
_COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
PEER = "Kubeflow Trainer 2.3.0 (Go), measured 2026-11-21 on such a machine"


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="runs in the burst")
    parser.add_argument("--idle-runs", type=int, default=100, help="runs one after another")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench" / "results" / "operator.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags = audit_flags(folder, folder / AUDIT_LOG)
        options = BareOptions(kwok_nodes=KWOK_NODES, gpus_per_node=GPUS_PER_NODE, api_server_flags=flags)
        with bare_control_plane(folder / "plane", options) as plane:
            install_definition(plane.api, yaml.safe_load(CRD_FILE.read_text()))
            results = asyncio.run(_measure(plane, folder, arguments.runs, arguments.idle_runs))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n")


async def _measure(plane: BareControlPlane, folder: Path, runs: int, idle_runs: int) -> dict[str, object]:
    console = Console(width=120)
    api = Api(plane.url, plane.admin_token, ssl.create_default_context(cadata=plane.ca), folder / AUDIT_LOG)

    def cpu() -> dict[str, float]:
        spent = {name: usage(plane.daemons[name].pid).cpu_seconds for name in _COMPONENTS}
        return {**spent, "this load": time.process_time()}

    console.print("Bare Jobs, without any operator ...")
    loads = [await bare_jobs(api, runs, CREATORS, cpu)]
    with operator_process(plane.kubeconfig, folder / "operator.log") as operator:
        console.print(f"{idle_runs} runs one after another ...")

        def cpu_with_operator() -> dict[str, float]:
            return {"operator": operator.usage().cpu_seconds, **cpu()}

        loads.append(await idle(api, idle_runs, pause=0.3, cpu=cpu_with_operator))
        before, begun = cpu_with_operator(), time.monotonic()
        console.print(f"A burst of {runs} runs by {CREATORS} creators ...")
        figures, job = await burst(api, runs, CREATORS, cpu_with_operator)
        loads.append(figures)
        seconds, peak_mib = time.monotonic() - begun, operator.usage().peak_mib
        in_burst = {name: spent - before[name] for name, spent in cpu_with_operator().items()}
    console.print(f"{runs} runs and their Jobs by {CREATORS} creators, without any operator ...")
    loads.append(await by_hand(api, job, runs, CREATORS, cpu))
    for table in (
        _figures_table(loads),
        _writes_table(loads),
        _to_last_job_table(loads),
        _cpu_table(in_burst, peak_mib, seconds),
    ):
        console.print(table)
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {_processors()} CPU cores",
        "kubernetes": plane.api.get("/version")["gitVersion"],
        "controller-manager": list(CONTROLLER_MANAGER_LIMITS),
        "etcd": "on disk, fsync on",
        "loads": [figures.to_json() for figures in loads],
        "operator": {"peakMiB": round(peak_mib, 1), "cpuSecondsInBurst": round(in_burst["operator"], 2)},
        "cpuSecondsInBurst": {name: round(value, 2) for name, value in in_burst.items()},
    }


def _figures_table(loads: list[Figures]) -> Table:
    made, seen = ("made: p50", "p99", "Jobs/s"), ("seen: p50", "p99", "Jobs/s")
    table = Table("load", "runs", *made, *seen, "all Complete", title="CR to Job")
    for one in loads:
        complete = f"{one.seconds_to_complete:.1f} s" if one.seconds_to_complete is not None else "-"
        table.add_row(one.load, str(one.runs), *_cells(one.job), *_cells(one.job_seen), complete)
    table.add_row("idle, the peer", "100", "-", "-", "-", "27.4 ms", "88.0 ms", "-", "-", style="dim")
    table.add_row("burst, the peer", "1000", "-", "-", "-", "50.9 s", "88.7 s", "10.6", "101 s", style="dim")
    table.caption = (
        "Made: until the API server had made the Job; seen: until a watch showed it, which in a burst may fall behind. "
        f"The peer, not now and by a clock that is not known: {PEER}."
    )
    return table


def _cells(times: Times) -> tuple[str, str, str]:
    return _duration(times.p50), _duration(times.p99), f"{times.per_second:.1f}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _writes_table(loads: list[Figures]) -> Table:
    kinds = sorted({kind for one in loads for kind in one.writes_per_run})
    table = Table("write", *(one.load for one in loads), title="Successful writes for each run, by anyone")
    for kind in kinds:
        table.add_row(kind, *(f"{one.writes_per_run.get(kind, 0):.2f}" for one in loads))
    return table


def _to_last_job_table(loads: list[Figures]) -> Table:
    names = max((one.cpu_to_last_job for one in loads), key=len)
    table = Table("process", *(one.load for one in loads), title="CPU milliseconds for each run, to the last Job")
    for name in names:
        table.add_row(name, *(f"{one.cpu_to_last_job.get(name, 0):.1f}" for one in loads))
    sums = [sum(one.cpu_to_last_job.values()) for one in loads]
    table.add_row("together", *(f"{each:.1f}" for each in sums))
    # An idle machine spends most of it on what it does anyway.
    at_most = {one.load: f"{1000 * _processors() / each:.0f}" for one, each in zip(loads, sums, strict=True)}
    table.add_row("Jobs/s at most, so", *({**at_most, "idle": "-"}[one.load] for one in loads))
    return table


def _cpu_table(cpu: dict[str, float], peak_mib: float, seconds: float) -> Table:
    table = Table("process", "CPU seconds", "cores", title="What the burst cost")
    for name, spent in cpu.items():
        table.add_row(name, f"{spent:.1f}", f"{spent / seconds:.2f}")
    table.caption = f"The operator's largest memory: {peak_mib:.0f} MiB."
    return table


def _processors() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
