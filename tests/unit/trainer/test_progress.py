"""Percent, time left and who is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_api.report import ReportedBest, Stage
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.progress import Progress, Snapshot


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_run_grows_from_nothing_to_a_hundred_percent() -> None:
    clock, seen = Clock(), list[Snapshot]()
    progress = Progress(attempt=1, batch_size=8, epochs=4, clock=clock)
    progress.listen(lambda snapshot, _urgent: seen.append(snapshot))
    progress.stage(Stage.FETCHING)
    clock.now += 5
    progress.stage(Stage.TRAINING)
    for epoch in range(1, 5):
        for step in (1, 2):
            clock.now += 5
            progress.step(epoch, step, 2, {"box": 1.5})
        progress.epoch_done(epoch, {"mAP50": epoch / 10}, ReportedBest(epoch=epoch, metric="mAP50", value=epoch / 10))
    for stage in (Stage.EVALUATING, Stage.EXPORTING, Stage.VERIFYING, Stage.PUBLISHING):
        progress.stage(stage)
    progress.published((), "s3://models/x", None)

    assert [s.percent for s in seen] == sorted(s.percent for s in seen)
    assert (seen[0].percent, seen[-1].percent) == (0, 100)
    first_half = seen[2]
    assert first_half.detail == "epoch 1/4, batch 1/2, box 1.500"
    assert (first_half.epoch, first_half.trained) == (0, 0.125)
    assert first_half.eta_seconds == pytest.approx(35)
    after_two = next(s for s in seen if s.epoch == 2)
    assert after_two.eta_seconds == pytest.approx(20)
    assert after_two.training_seconds == pytest.approx(20)
    assert after_two.elapsed_seconds == pytest.approx(25)


def test_what_everybody_waits_for_is_urgent() -> None:
    told: list[tuple[Stage, bool]] = []
    progress = Progress(attempt=1, batch_size=8, epochs=1)
    progress.listen(lambda snapshot, urgent: told.append((snapshot.stage, urgent)))
    progress.stage(Stage.TRAINING)
    progress.step(1, 1, 2, {})
    progress.epoch_done(1, {}, None)
    assert [urgent for _, urgent in told] == [True, False, True]


def test_the_cgroups_quota_counts_not_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    everything = usable_cpus(tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cpus(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("99900000 100000\n")
    assert usable_cpus(tmp_path) == everything
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert usable_cpus(tmp_path) == everything


def test_a_metric_that_is_no_number_is_left_out_of_reports() -> None:
    progress = Progress(attempt=1, batch_size=8, epochs=2)
    progress.epoch_done(1, {"mAP50": 0.5, "val/box_loss": float("nan"), "val/cls_loss": float("inf")}, None)
    assert [metric.name for metric in progress.now.report(1).metrics] == ["mAP50"]
