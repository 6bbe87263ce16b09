"""What has to hold of a run that came to its end, whatever happened on its way."""

from __future__ import annotations

from modelyard_trainer.files import parse_checksums

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, epochs_done
from tests.e2e.yard import Yard


def assert_nothing_lost(yard: Yard, run: LiveRun, status: Object, *, attempts: int, epochs: int) -> None:
    """So many attempts, every epoch, none gone back on but by resuming, and every published file as status has it."""
    assert [each["number"] for each in status["attempts"]] == [*range(1, attempts + 1)]
    assert status["progress"]["epoch"] == epochs
    for attempt in status["attempts"]:
        statuses = [each for each in yard.watched.statuses(run.name) if each.get("currentAttempt") == attempt["number"]]
        seen = [epochs_done(each) for each in statuses if each["attempts"][-1].get("epoch", 0)]
        assert seen == sorted(seen)
        assert min(seen) >= attempt.get("resumedFromEpoch", 0)
    sums = yard.store.read(f"{status['artifactsUri']}/SHA256SUMS").decode()
    published = {each["name"]: each["sha256"] for each in status["artifacts"]}
    assert published == parse_checksums(sums)
    assert published.items() <= yard.store.digests(status["artifactsUri"]).items()
