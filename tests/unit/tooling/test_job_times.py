"""When Jobs were made, as `make bench` reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.audit import JobsMade
from bench.timeline import Timeline


def event(name: str, code: int = 201, second: int = 0) -> str:
    told = {
        "objectRef": {"resource": "jobs", "name": name},
        "responseStatus": {"code": code},
        "stageTimestamp": f"1970-01-01T00:00:{second:02}.500000Z",
    }
    return json.dumps(told) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def append(log: Path, text: str) -> None:
    with log.open("a") as stream:
        stream.write(text)


def test_a_log_that_is_not_there_yet_is_read_once_it_is(log: Path) -> None:
    made = JobsMade(log)
    assert dict(made.further()) == {}
    append(log, event("a", second=2))
    assert dict(made.further()) == {"a": 2.5}


def test_only_what_comes_after_the_beginning_is_told_and_each_job_once(log: Path) -> None:
    append(log, event("before"))
    made = JobsMade(log)
    append(log, event("a"))
    assert [name for name, _ in made.further()] == ["a"]
    assert list(made.further()) == []


def test_a_line_that_is_half_written_waits_for_its_other_half(log: Path) -> None:
    made, line = JobsMade(log), event("a")
    append(log, line[:40])
    assert list(made.further()) == []
    append(log, line[40:] + event("b"))
    assert [name for name, _ in made.further()] == ["a", "b"]


@pytest.mark.parametrize("code", [403, 409])
def test_a_job_that_was_refused_was_not_made(log: Path, code: int) -> None:
    made = JobsMade(log)
    append(log, event("a", code))
    assert list(made.further()) == []


def test_a_run_has_its_first_job_and_a_further_one_is_not_taken_for_it() -> None:
    line = Timeline(
        requested={"x": 10.0, "y": 11.0}, job_of={"x": "x-1", "y": "y-1"}, job_made={"x-1": 12.0, "y-2": 12.5}
    )
    assert line.jobs_by_run() == {"x": 12.0}
    assert line.latencies(line.jobs_by_run()) == [2.0]


def test_jobs_a_second_count_from_the_first_request_to_the_last_job() -> None:
    line = Timeline(requested={"x": 10.0, "y": 13.0}, job_of={"x": "x-1", "y": "y-1"}, job_made={"x-1": 11, "y-1": 14})
    assert line.a_second(line.jobs_by_run()) == 0.5
    assert line.a_second({}) == 0.0
