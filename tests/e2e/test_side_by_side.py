"""Several runs at once."""

from __future__ import annotations

import json

import pytest
from modelyard_trainer.files import parse_checksums

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun
from tests.e2e.yard import Yard

SEEDS = {"two-a": 1, "two-b": 2}


@pytest.fixture(scope="module")
def finished(yard: Yard) -> dict[str, tuple[LiveRun, Object]]:
    """Two runs of one data set, applied in one go, each with its status at the end."""
    stories = [yard.quick(name).having(seed, "training", "seed").for_epochs(3 + seed) for name, seed in SEEDS.items()]
    return {run.name: (run, run.wait("Complete")) for run in yard.start(*stories)}


def test_two_runs_complete_side_by_side(finished: dict[str, tuple[LiveRun, Object]]) -> None:
    """Two runs that are applied together both complete, and for a while both run."""
    (first,), (second,) = (status["attempts"] for _, status in finished.values())

    assert first["runningAt"] < second["endedAt"]
    assert second["runningAt"] < first["endedAt"]


def test_two_runs_do_not_mix(yard: Yard, finished: dict[str, tuple[LiveRun, Object]]) -> None:
    """Each of two runs has its own files, which tell of its own name, seed, epochs and split."""
    splits = []
    for run, status in finished.values():
        uri = status["artifactsUri"]
        record = json.loads(yard.store.read(f"{uri}/run.json"))
        split = json.loads(yard.store.read(f"{uri}/split.json"))
        uid = yard.kubectl.get("trun", run.name)["metadata"]["uid"]

        assert f"/{run.name}/{uid}/" in uri
        assert (record["run"]["name"], record["seed"]) == (run.name, SEEDS[run.name])
        assert record["epochs"] == status["progress"]["epoch"] == 3 + SEEDS[run.name]
        assert len(run.jobs()) == 1
        splits.append(split["validation"])
    assert splits[0] != splits[1]


def test_status_names_exactly_what_lies_in_the_store(yard: Yard, finished: dict[str, tuple[LiveRun, Object]]) -> None:
    """status.artifacts, SHA256SUMS and the objects in S3 say the same of every file."""
    for _, status in finished.values():
        stored = yard.store.digests(status["artifactsUri"])
        sums = yard.store.read(f"{status['artifactsUri']}/SHA256SUMS").decode()
        del stored["SHA256SUMS"]

        assert {each["name"]: each["sha256"] for each in status["artifacts"]} == stored
        assert parse_checksums(sums) == stored
