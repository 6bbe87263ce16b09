"""Whatever is wrong with a report, the run goes on and ends as it did."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.reporter import Reporter

from tests.unit.trainer.intake import RecordingIntake


def test_a_report_that_cannot_be_made_stops_neither_later_ones_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Snapshot.report

    def report(self: Snapshot, sequence: int) -> object:
        if self.detail == "wrong":
            raise ValueError("not a report")
        return real(self, sequence)

    monkeypatch.setattr(Snapshot, "report", report)
    with RecordingIntake(tmp_path / "intake") as intake:
        progress = Progress(1, 1, 1)
        reporter = Reporter(intake.described(), progress)
        progress.detail("wrong")
        reporter.start()
        time.sleep(0.3)
        progress.detail("right")
        deadline = time.monotonic() + 5
        while not intake.reports and time.monotonic() < deadline:
            time.sleep(0.05)
        assert intake.reports[-1].detail == "right"
        progress.detail("wrong")
        reporter.close(patience=0.0)
