"""The weights that the epochs of a training leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.loop.history import History
from modelyard_trainer.progress import Progress
from modelyard_trainer.tensors import read_tensors, write_tensors


def write(path: Path, epoch: int, metrics: Mapping[str, float], weights: Mapping[str, Any]) -> None:
    write_tensors(path, {"epoch": epoch, "metrics": dict(metrics)}, weights)


def history(folder: Path) -> History:
    folder.mkdir(exist_ok=True)
    return History(folder, Progress(1, 8, 3), metric="mAP", write=write, save_period=2)


def epochs_of(folder: Path) -> dict[str, int]:
    """The epoch that each file is of."""
    return {path.name: read_tensors(path)["epoch"] for path in sorted(folder.iterdir())}


def test_what_is_kept_of_an_epoch_stays_when_later_ones_are_written(tmp_path: Path) -> None:
    kept = history(tmp_path / "one")
    for epoch, value, is_best in ((1, 0.4, True), (2, 0.6, True), (3, 0.5, False)):
        kept.add(epoch, {"mAP": value}, is_best, {})
    assert epochs_of(tmp_path / "one") == {"best.pt": 2, "epoch2.pt": 2, "last.pt": 3}


def test_what_is_restored_over_files_of_one_epoch_replaces_each_alone(tmp_path: Path) -> None:
    earlier, later = history(tmp_path / "one"), history(tmp_path / "other")
    for epoch, value in ((1, 0.6), (2, 0.5)):
        earlier.add(epoch, {"mAP": value}, epoch == 1, {})
    later.add(1, {"mAP": 0.1}, True, {})
    later.restore(Snapshot(Position(2, 0), {}, earlier.files()), earlier.state())
    assert epochs_of(tmp_path / "other") == {"best.pt": 1, "epoch2.pt": 2, "last.pt": 2}
    assert later.best_epoch == 1
