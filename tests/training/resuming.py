"""Exact resume of a task on our own loop: a training that nobody disturbed, and what others have to equal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import ExitCode, Reason, TerminationMessage
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import TrainingRunSpec
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.loop import guard
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import Task, TaskContext

from tests.training.trainings import Shelf, Stored, Trained, differences, forked, told_to_stop_at, train
from tests.unit.trainer.datasets import run_document
from tests.unit.trainer.ranked import forking

EXACT = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes"),
    pytest.mark.usefixtures("one_cpu_and_every_batch_counts"),
]
"""What marks tests that compare trainings bit for bit."""


@pytest.fixture(scope="module")
def one_cpu_and_every_batch_counts() -> Iterator[None]:
    """The same threads give the same sums here and in processes; two would only wait for each other."""
    allowed, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {min(allowed)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ASK_EVERY", 0.0)
        yield
    os.sched_setaffinity(0, allowed)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def forked_ranks() -> Iterator[None]:
    """Other ranks are forked from this process, to save their imports."""
    with forking():
        yield


@dataclass(frozen=True)
class Reference:
    """A training that nobody disturbed, without workers.

    Attributes:
        end: where it ended.
        files: names of what it leaves.
        processes: that trained together.
    """

    task: Callable[[TaskContext, int], Task]
    document: RunDocument
    data: CheckedDataset
    trained: Trained
    end: Position
    files: frozenset[str]
    processes: int | None = None

    def fit(self, folder: Path, shelf: Shelf, document: RunDocument | None = None, **options: Any) -> Trained:
        """Another training on the same data, as the same document has it or as another one."""
        given = {"task": self.task, "cpus": usable_cpus(), "processes": self.processes, **options}
        return train(document or self.document, self.data, folder, shelf, **given)

    def resumed(self, start: Stored, folder: Path, workers: int = 0) -> Trained:
        """The rest of a training."""
        return self.fit(folder, Shelf(self.end.__eq__, start), workers=workers)

    def assert_equal(self, trained: Trained) -> None:
        """Same losses and metrics, same files, same numbers at the end."""
        assert trained.epochs == self.trained.epochs
        assert trained.fit.best_epoch == self.trained.fit.best_epoch
        for each in (self.trained, trained):
            assert {path.name for path in each.results.iterdir()} == self.files
        for name in self.files:
            assert not differences(trained.weights(name), self.trained.weights(name))
        kept, others = (dict(each.stored[self.end].state()) for each in (self.trained, trained))
        assert TrainingRunSpec.model_validate(kept.pop("spec")) == self.document.spec, "with every default filled in"
        assert kept["fingerprint"]["classes"] == list(self.data.classes)
        del others["spec"]  # which may ask for other workers or another cache
        assert not differences(others, kept)

    def assert_resumes(self, position: Position, folder: Path, workers: int) -> None:
        """Gone on from where a snapshot was kept, it ends as if nothing had happened."""
        trained = self.resumed(self.trained.stored[position], folder, workers)
        assert trained.fit.resumed_from == position
        self.assert_equal(trained)

    def assert_stops_and_goes_on(self, place: Position, kept: Position, folder: Path, workers: int = 0) -> None:
        """Told to stop at a place, it keeps what it has at the next and ends there; the rest makes it whole."""
        shelf = Shelf()
        with told_to_stop_at(place, shelf) as interruption:
            self.fit(folder / "killed", shelf, interruption=interruption, workers=workers)
        assert list(shelf.stored) == [kept]
        self.assert_equal(self.resumed(shelf.stored[kept], folder / "resumed"))

    def assert_outlives_a_kill(self, settings: Mapping[str, Any], folder: Path) -> None:
        """A process that is killed after its first checkpoint is made up for by the next one."""
        settings = {
            **settings,
            "dataset": self.document.spec.dataset.to_json_object(),
            "artifacts": {"path": str(folder / "out")},
            "resources": {"gpus": 0},
            "checkpoints": {"everyEpochs": 1},
        }
        document = run_document(**settings).model_copy(update={"batch_size": self.document.batch_size})
        first, second = (folder / uid for uid in ("first", "second"))
        assert forked(first, document, self.processes, kill_after="checkpoint of epoch 1 is safe") == -signal.SIGKILL
        again = document.model_copy(update={"attempt": 2})
        assert forked(second, again, self.processes) == ExitCode.SUCCESS, (second / "log").read_text()
        message = TerminationMessage.model_validate_json((second / "termination-log").read_bytes())
        assert message.reason is Reason.COMPLETED
        assert message.resumed_from_epoch is not None
        for name in self.files:
            published = torch.load(folder / "out" / name, weights_only=True)
            assert not differences(published, self.trained.weights(name)), name


def undisturbed(
    task: Callable[[TaskContext, int], Task],
    document: RunDocument,
    folder: Path,
    kept: Collection[Position],
    files: Collection[str] = ("best.pt", "last.pt"),
    *,
    processes: int | None = None,
) -> Reference:
    """Train below an empty folder, as a first attempt does, with a snapshot at every place of `kept` and at the end."""
    document = document.model_copy(update={"batch_size": document.spec.training.batch_size})
    end = Position(document.spec.epochs_to_train)
    data = checked(task, document, folder / "checked")
    wanted = {*kept, end}
    shelf = Shelf(wanted.__contains__)
    trained = train(document, data, folder / "run", shelf, task=task, cpus=usable_cpus(), processes=processes)
    assert set(trained.stored) == wanted
    return Reference(task, document, data, trained, end, frozenset(files), processes)


def checked(task: Callable[[TaskContext, int], Task], document: RunDocument, scratch: Path) -> CheckedDataset:
    """The data set of a run, as the run checks it."""
    scratch.mkdir()
    progress = Progress(1, 1, 1)
    fetched = fetch(document.spec.dataset, Places(scratch), progress, cpus=2)
    return task(TaskContext(document, scratch, scratch, progress, cpus=2), 0).check(fetched)
