"""The files beside the weights that say what was trained, on what, how it went and with what result."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from modelyard_api.layout import REPORT_FILE, RUN_FILE
from modelyard_api.run_document import RunDocument

from modelyard_trainer.checkpoints.keeper import History
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.environment import describe_environment
from modelyard_trainer.model_card import CARD_FILE, render_card
from modelyard_trainer.report_page import render_report
from modelyard_trainer.tasks.base import Epoch, Evaluation, ExportedFile, Fit, Verified, metric_names

METRICS_FILE, LABELS_FILE, SPLIT_FILE, LOG_FILE = "metrics.csv", "labels.json", "split.json", "training.log"


@dataclass(frozen=True)
class Record:
    """A finished training, as it is written down."""

    document: RunDocument
    dataset: CheckedDataset
    fit: Fit
    evaluation: Evaluation
    verified: Sequence[Verified]
    started: datetime
    skipped: Sequence[ExportedFile] = ()
    store_notices: Sequence[str] = ()
    checkpoints: History = field(default_factory=History)

    @property
    def primary(self) -> str | None:
        """Name of the exported file that formatPriorities prefers; None where nothing was exported."""
        return self.verified[0].file.path.name if self.verified else None

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know but need not act upon."""
        begun = (self.fit.start.notice,) if self.fit.start else ()
        skipped = (f"{each.path.name} was skipped: {each.skipped}" for each in self.skipped)
        told = (*self.dataset.notices, *self.fit.notices, *self.evaluation.notices)
        return (*begun, *told, *skipped, *self.store_notices)

    def write(self, folder: Path) -> None:
        """Write run.json, metrics.csv, labels.json, split.json, README.md and report.html."""
        summary = self.summary()
        _write_json(folder / RUN_FILE, summary)
        _write_json(folder / LABELS_FILE, {str(number): name for number, name in enumerate(self.fit.classes)})
        _write_json(folder / SPLIT_FILE, self._split())
        write_metrics(self.fit.epochs, folder / METRICS_FILE, self.fit.columns)
        (folder / CARD_FILE).write_text(render_card(summary, folder), encoding="utf-8")
        (folder / REPORT_FILE).write_text(render_report(summary, folder), encoding="utf-8")

    def summary(self) -> dict[str, object]:
        """What run.json holds."""
        return {
            "run": self.document.to_json_object(),
            "startedAt": self.started.isoformat(timespec="seconds"),
            "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": self.document.spec.training.seed,
            "dataset": {
                **self.dataset.status().to_json_object(),
                "classNames": list(self.dataset.classes),
                "splitBySeed": self.dataset.split_by_seed,
            },
            "startedFrom": self.fit.start.state() if self.fit.start else None,
            "epochs": len(self.fit.epochs),
            "bestEpoch": self.fit.best_epoch,
            "bestEpochInInt8": self.fit.best_quantised_epoch,
            "trainingSeconds": round(sum(epoch.seconds for epoch in self.fit.epochs), 1),
            "metrics": dict(self.evaluation.metrics),
            "metricsPerClass": {name: dict(values) for name, values in self.evaluation.per_class.items()},
            "exports": [_exported(each) for each in self.verified],
            "exportsSkipped": [
                {"name": each.path.name, "format": each.wanted.format.value, "why": each.skipped}
                for each in self.skipped
            ],
            "primaryArtifact": self.primary,
            "checkpoints": self._checkpoints(),
            "notices": list(self.notices),
            "environment": describe_environment(self.document, self.fit.device),
        }

    def _checkpoints(self) -> dict[str, object]:
        resumed = self.checkpoints.resumed
        return {
            "resumedFrom": resumed.to_json_object() if resumed else None,
            "taken": self.checkpoints.taken,
            "kept": [checkpoint.to_json_object() for checkpoint in self.checkpoints.kept],
        }

    def _split(self) -> dict[str, object]:
        sides = {
            "training": self.dataset.training,
            "validation": self.dataset.validation,
            "test": self.dataset.test,
            **({"heldOut": self.dataset.held_out} if self.dataset.held_out else {}),
        }
        return {
            "bySeed": self.dataset.split_by_seed,
            "seed": self.document.spec.training.seed,
            "datasetDigest": self.dataset.digest,
            **{side: [picture.name for picture in pictures] for side, pictures in sides.items()},
        }


def write_metrics(epochs: Sequence[Epoch], path: Path, columns: Mapping[str, str] | None = None) -> None:
    """One row an epoch: its number, and then `columns` with the metrics that they hold; else its seconds and all."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = {name: name for name in metric_names(epochs)}
        writer.writerow(["epoch", *(columns or {"seconds": "", **names})])
        for epoch in epochs:
            values = [epoch.metrics.get(name) for name in (columns or names).values()]
            seconds = [] if columns else [f"{epoch.seconds:.3f}"]
            writer.writerow([epoch.number, *seconds, *("" if v is None else f"{v:.7g}" for v in values)])


def _exported(verified: Verified) -> dict[str, object]:
    wanted, judged, latency = verified.file.wanted, verified.judged, verified.latency
    return {
        "format": wanted.format.value,
        "precision": wanted.precision.value,
        "name": verified.file.path.name,
        **verified.file.details,
        "largestDifference": float(f"{verified.difference:.3g}"),
        "tolerance": wanted.allowed_difference,
        "picturesCompared": verified.pictures,
        "inputShapes": list(verified.shapes),
        "metric": {
            "name": judged.metric,
            "value": judged.value,
            "inPyTorch": judged.reference,
            "drop": judged.drop,
            "pictures": judged.pictures,
            "maxMetricDrop": wanted.allowed_drop,
        },
        "latency": {
            "milliseconds": float(f"{latency.milliseconds:.4g}"),
            "runs": latency.runs,
            "threads": latency.threads,
            "batch": 1,
            "device": latency.device,
        },
    }


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
