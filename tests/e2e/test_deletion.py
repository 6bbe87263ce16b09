"""`kubectl delete`."""

from __future__ import annotations

import time

from tests.e2e.live_run import LiveRun
from tests.e2e.yard import Yard

SECONDS_TO_END = 30


def test_deleting_a_run_midway_ends_its_pod(yard: Yard) -> None:
    """A run that is deleted while it trains takes its Job and its pod along within seconds, and publishes nothing."""
    (run,) = yard.start(yard.quick("deleted-midway").for_ever())
    run.until_epoch(1)
    uid = yard.kubectl.get("trun", run.name)["metadata"]["uid"]

    run.delete()

    _assert_gone(run)
    left = yard.store.keys(f"s3://models/vision/{run.name}/{uid}/")
    assert not [key for key in left if key.endswith(("SHA256SUMS", "latest.json"))]


def test_deleting_a_finished_run_leaves_its_files(yard: Yard) -> None:
    """What a run has published stays in S3, byte for byte, when the run is deleted."""
    (run,) = yard.start(yard.quick("deleted-afterwards").for_epochs(1))
    uri = run.wait("Complete")["artifactsUri"]
    before = yard.store.digests(uri)

    run.delete()

    _assert_gone(run)
    assert "SHA256SUMS" in before
    assert yard.store.digests(uri) == before


def _assert_gone(run: LiveRun) -> None:
    deadline = time.monotonic() + SECONDS_TO_END
    while left := [*run.jobs(), *run.pods()]:
        assert time.monotonic() < deadline, f"{[each['metadata']['name'] for each in left]} are still there"
        time.sleep(0.5)
