"""What the epochs brought: their metrics, the best of them, and the weights that are published."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelyard_api.report import ReportedBest

from modelyard_trainer.checkpoints.model import Snapshot
from modelyard_trainer.files import link_or_copy
from modelyard_trainer.progress import Progress
from modelyard_trainer.quantising.file import QUANTISED, QuantisedWeights
from modelyard_trainer.tasks.base import BEST, LAST, Epoch
from modelyard_trainer.tensors import read_tensors

Write = Callable[[Path, int, Mapping[str, float], Mapping[str, Any]], None]
"""Takes a path, the epoch (counted from 1), its metrics and the weights."""
_log = logging.getLogger("modelyard.training")


class History:
    """The epochs of a training, and its best.pt, last.pt, epoch<number>.pt and best-qat.pt in the results folder.

    Args:
        results: the results folder.
        progress: is told of every epoch.
        metric: name of the metric that epochs are compared by.
        write: writes weights as a file, whole or not at all.
        save_period: keep the weights of every so many epochs; 0 for none.
        clock: a monotonic clock, seconds.
    """

    def __init__(
        self,
        results: Path,
        progress: Progress,
        *,
        metric: str,
        write: Write,
        save_period: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._results, self._progress = results, progress
        self._metric, self._write = metric, write
        self._save_period = save_period
        self._clock = clock
        self._began = clock()
        self._epochs: list[Epoch] = []
        self._best: ReportedBest | None = None
        self._quantised: dict[str, int] = {}

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """All epochs so far."""
        return tuple(self._epochs)

    @property
    def best_epoch(self) -> int:
        """The epoch that best.pt is of."""
        assert self._best is not None  # noqa: S101 - an epoch was trained
        return self._best.epoch

    @property
    def best_quantised_epoch(self) -> int | None:
        """The epoch that best-qat.pt is of; None where there is none."""
        return self._quantised.get("best")

    def best_weights(self) -> Mapping[str, Any]:
        """What best.pt holds: tensors by name."""
        weights: Mapping[str, Any] = read_tensors(self._results / BEST)["state_dict"]
        return weights

    def add(self, epoch: int, metrics: Mapping[str, float], is_best: bool, weights: Mapping[str, Any]) -> None:
        """An epoch (counted from 1) is done: write its weights, and tell."""
        self._append(epoch, metrics)
        last = self._results / LAST
        self._write(last, epoch, metrics, weights)
        if self._metric in metrics and (is_best or self._best is None):
            self._best = ReportedBest(epoch=epoch, metric=self._metric, value=metrics[self._metric])
            link_or_copy(last, self._results / BEST)
        if self._numbered(epoch):
            link_or_copy(last, self._results / f"epoch{epoch}.pt")
        self._tell(epoch, metrics)

    def add_quantised(self, epoch: int, metrics: Mapping[str, float], weights: QuantisedWeights | None) -> None:
        """An epoch (counted from 1) in 8 bits is done after all others; the weights are given where it is the best."""
        self._quantised.setdefault("first", epoch)
        self._append(epoch, metrics)
        if weights:
            self._quantised["best"] = epoch
            weights.save(self._results / QUANTISED)
        self._tell(epoch, metrics)

    def _append(self, epoch: int, metrics: Mapping[str, float]) -> None:
        now = self._clock()
        self._epochs.append(Epoch(epoch, now - self._began, metrics))
        self._began = now

    def _tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        _log.info("epoch %d: %s", epoch, ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        self._progress.epoch_done(epoch, metrics, self._best)

    def state(self) -> dict[str, Any]:
        """Plain values for a snapshot."""
        return {
            "epochs": [
                {"number": each.number, "seconds": each.seconds, "metrics": dict(each.metrics)} for each in self._epochs
            ],
            "best": self._best.model_dump() if self._best else None,
            "quantised": dict(self._quantised),
            "seconds": self._clock() - self._began,
        }

    def files(self) -> dict[str, Path]:
        """The weights so far, by name."""
        names = [
            *([BEST] if self._best else []),
            LAST,
            *([QUANTISED] if self._quantised else []),
            *(f"epoch{each.number}.pt" for each in self._epochs if self._numbered(each.number)),
        ]
        return {name: self._results / name for name in names} if self._epochs else {}

    def restore(self, snapshot: Snapshot, state: Mapping[str, Any]) -> None:
        """Go on from what `state` and `files` were; the snapshot's files are moved."""
        self._epochs = [Epoch(each["number"], each["seconds"], each["metrics"]) for each in state["epochs"]]
        self._best = ReportedBest.model_validate(state["best"]) if state["best"] else None
        self._quantised = dict(state.get("quantised", {}))
        self._began = self._clock() - state["seconds"]
        for name, path in snapshot.files.items():
            if path != self._results / name:
                (self._results / name).unlink(missing_ok=True)  # it may be another file's second name
                shutil.move(path, self._results / name)
        spent = sum(each.seconds for each in self._epochs) + float(state["seconds"])
        metrics = self._epochs[-1].metrics if self._epochs else {}
        self._progress.resumed(len(self._epochs), spent, metrics, self._best)

    def _numbered(self, epoch: int) -> bool:
        trained = epoch < self._quantised.get("first", epoch + 1)
        return trained and bool(self._save_period) and epoch % self._save_period == 0
