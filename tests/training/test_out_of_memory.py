"""Real trainings that run out of memory: how they end, and what the next attempt makes of it."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import ExitCode, Reason
from modelyard_trainer.loop import fit
from torch import nn

from tests.training.attempts import BATCH, classification, detection, first_attempt, last_words, said
from tests.training.trainings import forked
from tests.unit.trainer.intake import RecordingIntake

pytestmark = pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "imported")
FITS, BATCHES = 4, 3
"""The largest batch that there is memory for, and batches of the spec in an epoch."""
LITTLE = 64 << 20


@contextmanager
def before_each_batch(happens: Callable[[int], None]) -> Iterator[None]:
    """Something happens before a network learns from a batch; it is given the number of pictures."""

    def take(layer: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3 and layer.training:
            happens(len(given[0]))

    hook = nn.modules.module.register_module_forward_pre_hook(take)
    try:
        yield
    finally:
        hook.remove()


def memory_for(pictures: int, seen: Path, *, after: int = 0) -> AbstractContextManager[None]:
    """No network learns from more pictures at once, from a batch on; the sizes of all batches are noted in a file."""

    def take(size: int) -> None:
        with seen.open("a+") as file:
            file.write(f"{size}\n")
            file.seek(0)
            batches = len(file.readlines())
        if size > pictures and batches > after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    return before_each_batch(take)


@pytest.mark.parametrize(
    ("task", "epochs"),
    # ultralytics' own trainer halves the batch by itself in the first epoch, and tells nobody.
    [pytest.param(classification, 2, id="classification, later"), pytest.param(detection, 1, id="detection, at once")],
)
def test_a_batch_that_does_not_fit_ends_with_11_and_half_of_it_goes_on(
    task: Callable[[Path], dict[str, Any]], epochs: int, tmp_path: Path
) -> None:
    done = epochs - 1
    with RecordingIntake(tmp_path / "intake") as intake:
        asked = first_attempt(task(tmp_path / "data"), tmp_path / "out", epochs=epochs)
        asked = asked.model_copy(update={"intake": intake.described()})
        with memory_for(FITS, tmp_path / "seen", after=done * BATCHES):
            assert forked(tmp_path / "first", asked) == ExitCode.OUT_OF_MEMORY
        told = last_words(tmp_path / "first")
        assert (told.reason, told.epoch) == (Reason.OUT_OF_MEMORY, done)
        assert told.message == "the GPU ran out of memory with a batch of 8 pictures"
        assert (told.checkpoint.epoch if told.checkpoint else 0) == done
        assert largest(tmp_path / "seen") == BATCH
        assert {report.batch_size for report in intake.reports} == {BATCH}

        smaller = asked.model_copy(update={"attempt": 2, "batch_size": FITS})
        with memory_for(FITS, tmp_path / "seen again"):
            assert forked(tmp_path / "second", smaller) == ExitCode.SUCCESS, said(tmp_path / "second")
        told = last_words(tmp_path / "second")
        assert (told.reason, told.epoch, told.resumed_from_epoch or 0) == (Reason.COMPLETED, epochs, done)
        assert largest(tmp_path / "seen again") == FITS
        assert {report.batch_size for report in intake.reports if report.attempt == 2} == {FITS}


def test_an_allocation_that_the_machine_refuses_is_the_pods_want_of_memory(tmp_path: Path) -> None:
    def leave_little(_pictures: int) -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + LITTLE, resource.RLIM_INFINITY))

    # What comes of the first convolution has 128 MiB.
    large = first_attempt(classification(tmp_path / "data"), tmp_path / "out", epochs=1, imageSize=1024)
    with before_each_batch(leave_little):
        assert forked(tmp_path / "first", large) == 1, said(tmp_path / "first")
    told = last_words(tmp_path / "first")
    assert told.reason is Reason.HOST_OUT_OF_MEMORY
    assert told.message == (
        "the pod ran out of memory (DefaultCPUAllocator: can't allocate memory: you tried to allocate 134217728 bytes. "
        "Error code 12 (Cannot allocate memory)); more of spec.resources.memory or sharedMemory, or fewer "
        "spec.training.workers, would be right"
    )


def test_a_loader_worker_that_is_killed_is_the_pods_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_one(_pictures: int) -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    # Without a GPU there are none.
    monkeypatch.setattr(fit, "loader_workers", lambda *_: 2)
    with before_each_batch(kill_one):
        assert forked(tmp_path / "first", first_attempt(classification(tmp_path / "data"), tmp_path / "out")) == 1
    told = last_words(tmp_path / "first")
    assert told.reason is Reason.HOST_OUT_OF_MEMORY
    assert re.fullmatch(
        r"the pod ran out of memory \(DataLoader worker \(pid \d+\) is killed by signal: Killed\); more of "
        r"spec\.resources\.memory or sharedMemory, or fewer spec\.training\.workers, would be right",
        told.message,
    )


def largest(seen: Path) -> int:
    return max(map(int, seen.read_text().split()))
