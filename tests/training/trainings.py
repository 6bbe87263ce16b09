"""Small real trainings that can be killed and resumed, and what is left of them."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.run_document import RunDocument
from modelyard_trainer import process
from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.errors import Interrupted
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.progress import Progress
from modelyard_trainer.progress import Snapshot as Report
from modelyard_trainer.tasks.base import Fit, Task, TaskContext
from modelyard_trainer.tasks.detection.task import DetectionTask


@dataclass
class Shelf:
    """Keeps snapshots as the bytes that `torch.save` makes of them, as a store would.

    Args:
        wanted: where snapshots are due.
        start: what `restore` gives: a position and its state and files.
    """

    wanted: Callable[[Position], bool] = lambda _position: False
    start: Stored | None = None
    stored: dict[Position, Stored] = field(default_factory=dict)
    folder: Path = Path("/nowhere")

    def restore(self) -> Snapshot | None:
        """The snapshot that was given to start from, read as data and not as a program."""
        if self.start is None:
            return None
        files = {}
        for name, content in self.start.files.items():
            files[name] = self.folder / name
            files[name].write_bytes(content)
        return Snapshot(self.start.position, self.start.state(), files)

    def due(self, position: Position) -> bool:
        """Whether this is one of the wanted positions."""
        return self.wanted(position)

    def save(self, snapshot: Snapshot) -> None:
        """Take it down at once."""
        files = {name: path.read_bytes() for name, path in snapshot.files.items()}
        self.stored[snapshot.position] = Stored(snapshot.position, b"", files).holding(snapshot.state)


@dataclass(frozen=True)
class Stored:
    """A snapshot as bytes."""

    position: Position
    content: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    def state(self) -> dict[str, Any]:
        """What the bytes hold."""
        state: dict[str, Any] = torch.load(io.BytesIO(self.content), weights_only=True)
        return state

    def holding(self, state: Mapping[str, Any]) -> Stored:
        """The same with another state."""
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        return Stored(self.position, buffer.getvalue(), self.files)


@dataclass(frozen=True)
class Trained:
    """A training that came to its end."""

    fit: Fit
    stored: Mapping[Position, Stored]
    results: Path
    reports: tuple[Report, ...]

    @property
    def epochs(self) -> list[tuple[int, dict[str, float]]]:
        """Each epoch's number and metrics."""
        return [(epoch.number, dict(epoch.metrics)) for epoch in self.fit.epochs]

    def weights(self, name: str) -> dict[str, Any]:
        """What a file of the results folder holds."""
        content: dict[str, Any] = torch.load(self.results / name, weights_only=True)
        return content


@contextmanager
def told_to_stop_at(place: Position, shelf: Shelf) -> Iterator[Interruption]:
    """SIGTERM comes while the training asks at `place` whether a snapshot is due; handlers are as before afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    interruption = Interruption()
    interruption.install()

    def tell(position: Position) -> bool:
        if position == place:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    shelf.wanted = tell
    try:
        with pytest.raises(Interrupted):
            yield interruption
    finally:
        interruption.settle()
        for number, handler in before.items():
            signal.signal(number, handler)


def train(
    document: RunDocument,
    data: CheckedDataset,
    folder: Path,
    shelf: Shelf,
    *,
    task: Callable[[TaskContext, int], Task] = DetectionTask,
    workers: int = 0,
    interruption: Interruption | None = None,
    cpus: int = 2,
    processes: int | None = None,
) -> Trained:
    """Train in an empty folder."""
    results = folder / "results"
    results.mkdir(parents=True)
    shelf.folder = folder
    progress = Progress(document.attempt, document.batch_size, document.spec.epochs_to_train)
    reports: list[Report] = []
    progress.listen(lambda report, _urgent: reports.append(report))
    context = TaskContext(
        document,
        folder,
        results,
        progress,
        cpus=cpus,
        checkpoints=shelf,
        interruption=interruption or Interruption(),
        processes=processes,
    )
    fit = task(context, workers).fit(data)
    return Trained(fit, shelf.stored, results, tuple(reports))


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two trees of tensors and plain values are not equal bit for bit; seconds do not count."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return [f"{where}: {sorted(map(str, one))} or {sorted(map(str, other))}"]
        return [line for key in one if key != "seconds" for line in differences(one[key], other[key], f"{where}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{where}/{number}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [where]
    return [] if one == other else [f"{where}: {one} or {other}"]


def forked(
    folder: Path,
    document: RunDocument,
    processes: int | None = None,
    *,
    kill_after: str = "",
    kill_with: signal.Signals = signal.SIGKILL,
) -> int:
    """Run an attempt in a process of its own, made from this one, which has imported already what takes seconds.

    Args:
        folder: is made, for all that the attempt leaves.
        document: the run.
        processes: in how many it is trained.
        kill_after: kill it once its log says so.
        kill_with: by this signal.

    Returns:
        Its exit code; negative, the signal that ended it.
    """
    folder.mkdir()
    (folder / "scratch").mkdir()
    (folder / "run.json").write_text(json.dumps(document.to_json_object()))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.environ["MODELYARD_POD_UID"] = folder.name
            sys.stderr = os.fdopen(writing, "w", buffering=1)
            places = ["--scratch", str(folder / "scratch"), "--termination-log", str(folder / "termination-log")]
            together = [] if processes is None else ["--processes", str(processes)]
            code = process.main([str(folder / "run.json"), *places, *together])
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as log, (folder / "log").open("w") as said:
        for line in log:
            said.write(line)
            if kill_after and kill_after in line:
                os.kill(child, kill_with)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
