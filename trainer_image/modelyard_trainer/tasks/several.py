"""A task in several processes of this machine. Imports torch."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument

from modelyard_trainer.allocator import freed_memory_kept
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.logs import ROOT, log_to_stderr
from modelyard_trainer.loop.company import Company, OtherLine
from modelyard_trainer.loop.device import pick_device, ranks_wanted
from modelyard_trainer.loop.several import Several
from modelyard_trainer.memory import explain_memory
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.offline import prepare


class Shared(Protocol):
    """A task that several processes can train."""

    def __init__(self, context: TaskContext, workers: int | None) -> None: ...

    def fitted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        """Train as the first rank of `context.ranks`, or alone."""

    def follow(self, data: CheckedDataset, device: str) -> None:
        """Train as another one, on this rank's device."""


def fit_together(alone: Shared, context: TaskContext, data: CheckedDataset, workers: int | None) -> Fit:
    """Train in as many processes as are wanted, of which this is the first.

    Args:
        alone: the task, as it is where one process is enough.
        context: what it was given.
        data: what is trained on.
        workers: processes that load pictures, in each of them.

    Raises:
        RunError: it cannot be shared so, or one of the others has failed.
    """
    device, notices = pick_device(context.document.spec)
    count = ranks_wanted(context.document, context.processes)
    if count == 1:
        with explain_memory(context.document.batch_size):
            return alone.fitted(data, device, notices)
    if len(data.training) < count:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.resources.gpus: {count} GPUs cannot share {len(data.training)} training pictures; 1 would be right",
        )
    folder = context.scratch / "ranks"
    folder.mkdir()
    # They are on one machine, and NCCL would rather use a network.
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    cpus = max(1, context.cpus // count)
    task = type(alone)
    other = Other(task, context.document, data, context.scratch, folder, count, device != "cpu", cpus, workers)
    company = Company(other, count, context.interruption.give_up)
    try:
        with company.together():
            # The process that speaks for the run must not be torn down by NCCL's watchdog: the others are watched here.
            os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = "2"
            prepare(context.scratch, cpus)
            company.wait_until_ready()
            company.tell(None)
            ranks = Several(0, count, device, folder / "meeting", company)
            company.abort = ranks.abort
            try:
                # Explained here, since it shows that what the others end with follows from it.
                with explain_memory(context.document.batch_size):
                    fit = task(replace(context, cpus=cpus, ranks=ranks), workers).fitted(data, device, notices)
            except BaseException:
                ranks.desert()
                raise
            ranks.leave()
            return fit
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        prepare(context.scratch, context.cpus)


@dataclass(frozen=True)
class Other:
    """All that another process needs to train with the first."""

    task: type[Shared]
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
        own = self.folder / str(rank)
        own.mkdir()
        context = TaskContext(document, self.scratch, own, progress, self.cpus, processes=self.count, ranks=ranks)
        with explain_memory(document.batch_size), freed_memory_kept():
            self.task(context, self.workers).follow(self.data, device)
        ranks.leave()
