"""The interface between the story of a run and the task that is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modelyard_api.export import Export
from modelyard_api.run_document import RunDocument

from modelyard_trainer.checkpoints.model import Checkpoints, NoCheckpoints, Position
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.loop.ranks import ALONE, Ranks
from modelyard_trainer.progress import Progress
from modelyard_trainer.weights.model import FetchedWeights, Start

BEST, LAST = "best.pt", "last.pt"
PLOTS = "plots"
"""Folder of pictures among the results."""


@dataclass(frozen=True)
class TaskContext:
    """All that a task is given."""

    document: RunDocument
    scratch: Path
    """A folder for what nobody keeps."""
    results: Path
    """The folder whose files are published."""
    progress: Progress
    cpus: int
    """CPUs that may be used."""
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    """Where to go on from, and who keeps how far the training is."""
    interruption: Interruption = field(default_factory=Interruption)
    """Tells when somebody wants the attempt to stop."""
    weights: Callable[[], FetchedWeights | None] = lambda: None
    """Gives the weights to start from, where the spec names some. A training that goes on from a checkpoint does not
    ask for them: they may be gone by then."""
    processes: int | None = None
    """In how many processes it is trained, where not in one for each GPU."""
    ranks: Ranks = ALONE
    """Those processes, once they are there."""

    @property
    def at_once(self) -> int:
        """How many pictures one process looks at together, which it does alone: as many as it has of a batch.

        The same before, while and after the processes are there, so that the same numbers come of the same weights.
        """
        return max(1, self.document.batch_size // max(1, self.processes or self.document.spec.resources.gpus))


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number (from 1), its seconds and its metrics."""

    number: int
    seconds: float
    metrics: Mapping[str, float]


def metric_names(epochs: Sequence[Epoch]) -> list[str]:
    """The names of all metrics, those of the last epoch first: not every epoch is validated, but the last one is."""
    return list(dict.fromkeys(name for epoch in reversed(epochs) for name in epoch.metrics))


@dataclass(frozen=True)
class Fit:
    """How the training went. The weights lie in the results folder, as `best.pt` and `last.pt`."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    classes: tuple[str, ...]
    """What the model's outputs mean, in their order: the data set's classes, unless the task made others of them."""
    device: str
    notices: tuple[str, ...] = ()
    resumed_from: Position | None = None
    """Where this attempt took the training up; None where it began anew."""
    columns: Mapping[str, str] | None = None
    """Columns of metrics.csv after the epoch's number, and the metric that each holds; None for its seconds and all."""
    start: Start | None = None
    """What the training began with; None for random weights."""
    best_quantised_epoch: int | None = None
    """The epoch that best-qat.pt is of; None where nothing was trained in 8 bits."""


@dataclass(frozen=True)
class Evaluation:
    """What the best weights do on the validation pictures."""

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedFile:
    """A file that the best weights were exported to."""

    wanted: Export
    path: Path
    details: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What the record says of it beside format and precision."""
    skipped: str = ""
    """Why it could not be made here, as a sentence; then there is no such file."""


@dataclass(frozen=True)
class Judged:
    """What a file is worth by the task's metric, and what PyTorch is, on the same pictures."""

    metric: str
    value: float
    reference: float
    pictures: int

    @property
    def drop(self) -> float:
        """How much less the file reaches; below zero where it reaches more."""
        return self.reference - self.value


@dataclass(frozen=True)
class Latency:
    """The median time for one picture."""

    milliseconds: float
    runs: int
    threads: int
    device: str = "cpu"


@dataclass(frozen=True)
class Verified:
    """How an exported file compares with PyTorch."""

    file: ExportedFile
    difference: float
    """Largest absolute difference of any output, in the unit that the tolerance is given in."""
    pictures: int
    shapes: tuple[str, ...]
    """Sizes of the inputs that were tried."""
    judged: Judged
    latency: Latency

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance; a difference that is no number is not."""
        allowed = self.file.wanted.allowed_difference
        return allowed is None or self.difference <= allowed

    @property
    def is_good_enough(self) -> bool:
        """Whether the metric falls by no more than is allowed; one that is no number does."""
        allowed = self.file.wanted.allowed_drop
        # Two sums of the same scores in another order are no drop.
        return allowed is None or self.judged.drop <= allowed + 1e-9


class Task(Protocol):
    """One kind of training. The methods are called once each, in this order.

    Each may raise `RunError`. Heavy imports belong inside `fit` and what follows it, so that what is wrong with a spec
    or a data set is said within seconds.
    """

    def check_spec(self) -> None:
        """Refuse what this task cannot do as asked, before anything is fetched."""

    def check(self, fetched: FetchedDataset) -> CheckedDataset:
        """Refuse a data set that cannot be trained on, and split it."""

    def fit(self, data: CheckedDataset) -> Fit:
        """Train; leave `best.pt` and `last.pt` in the results folder."""

    def adopt(self, data: CheckedDataset) -> Fit:
        """Instead of training, in modes evaluate and export: leave the given weights as `best.pt`, whole."""

    def evaluate(self, data: CheckedDataset, fit: Fit) -> Evaluation:
        """Measure the best weights on the validation pictures; may leave plots in the results folder."""

    def export(self, data: CheckedDataset) -> tuple[ExportedFile, ...]:
        """Write the exported files into the results folder, in the order of preference; see `exports.subject`."""

    def verify(self, data: CheckedDataset, exports: tuple[ExportedFile, ...]) -> tuple[Verified, ...]:
        """Hold each exported file against PyTorch on validation pictures: outputs, metric and speed."""
