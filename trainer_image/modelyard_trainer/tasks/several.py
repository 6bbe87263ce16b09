"""A task on our own loop in several processes of this machine. Imports torch."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard_api.run_document import RunDocument

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.logs import ROOT, log_to_stderr
from modelyard_trainer.loop.company import Company, OtherLine
from modelyard_trainer.loop.several import Several
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.offline import prepare

if TYPE_CHECKING:
    from modelyard_trainer.tasks.looped import LoopedTask


@contextmanager
def first_of(
    count: int,
    task: type[LoopedTask],
    context: TaskContext,
    data: CheckedDataset,
    *,
    device: str,
    workers: int | None,
) -> Iterator[TaskContext]:
    """A block in which this process is the first of several; what the task is given in it.

    Args:
        count: of the processes.
        task: is trained by all of them.
        context: what it was given.
        data: what is trained on.
        device: this process's, as torch calls it.
        workers: processes that load pictures, in each of them.

    Raises:
        RunError: one of the others has failed.
    """
    folder = context.scratch / "ranks"
    folder.mkdir()
    # They are on one machine, and NCCL would rather use a network.
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    cpus = max(1, context.cpus // count)
    other = Other(task, context.document, data, context.scratch, folder, count, device != "cpu", cpus, workers)
    company = Company(other, count, context.interruption.give_up)
    # The process that speaks for the run must not be torn down by NCCL's watchdog: the others are watched here.
    os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = "2"
    try:
        with company.together():
            prepare(context.scratch, cpus)
            company.wait_until_ready()
            company.tell(None)
            ranks = Several(0, count, device, folder / "meeting", company)
            company.abort = ranks.abort
            try:
                yield replace(context, cpus=cpus, ranks=ranks)
            except BaseException:
                ranks.desert()
                raise
            ranks.leave()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        prepare(context.scratch, context.cpus)


@dataclass(frozen=True)
class Other:
    """All that another process needs to train with the first."""

    task: type[LoopedTask]
    document: RunDocument
    data: CheckedDataset
    scratch: Path
    folder: Path
    count: int
    on_gpus: bool
    cpus: int
    workers: int | None

    def __call__(self, rank: int, line: OtherLine) -> None:
        """Train as rank `rank`."""
        logger = logging.getLogger(ROOT)
        if not logger.handlers:
            log_to_stderr()
        logger.setLevel(logging.WARNING)  # what happens is told by the first
        prepare(self.scratch, self.cpus)
        line.ready()
        line.hear()
        device = f"cuda:{rank}" if self.on_gpus else "cpu"
        ranks = Several(rank, self.count, device, self.folder / "meeting", line)
        document = self.document
        progress = Progress(document.attempt, document.batch_size, document.spec.epochs_to_train)
        context = TaskContext(document, self.scratch, self.folder, progress, self.cpus, ranks=ranks)
        self.task(context, self.workers).follow(self.data, device)
        ranks.leave()
