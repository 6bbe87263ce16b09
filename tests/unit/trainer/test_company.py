"""However one rank ends, no other waits for it for ever, and the reason is the one that a single process would give."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.dataset.model import CheckedDataset, Objects, Picture
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.loop import company
from modelyard_trainer.loop.company import Company, OtherLine
from modelyard_trainer.loop.several import Several
from modelyard_trainer.memory import explain_memory
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import Fit, TaskContext
from modelyard_trainer.tasks.several import fit_together

from tests.unit.trainer.datasets import run_document
from tests.unit.trainer.ranked import both, forking, never


def out_of_memory() -> None:
    with explain_memory(64):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crashed() -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's tells where
    os.kill(os.getpid(), signal.SIGSEGV)


def unforeseen() -> None:
    raise KeyError("label")


@pytest.mark.parametrize(
    ("end", "reason", "message"),
    [
        (out_of_memory, Reason.OUT_OF_MEMORY, "the GPU ran out of memory with a batch of 64 pictures"),
        (killed, Reason.HOST_OUT_OF_MEMORY, "the process of rank 1 is killed by signal: Killed"),
        (crashed, Reason.INTERNAL_ERROR, "the process of rank 1 ended by SIGSEGV"),
        (unforeseen, Reason.INTERNAL_ERROR, "KeyError in rank 1: 'label'"),
    ],
)
def test_the_first_rank_does_not_wait_for_one_that_is_no_more(
    end: Callable[[], None], reason: Reason, message: str, tmp_path: Path
) -> None:
    def work(ranks: Several) -> None:
        with ranks.step(torch.nn.Identity(), 2, completes=True):
            if ranks.rank:
                end()
            ranks.means({"loss": torch.tensor(1.0)})

    with pytest.raises(RunError) as caught:
        both(tmp_path, work)
    assert caught.value.reason is reason
    assert message in caught.value.message


@pytest.mark.parametrize(
    "error", [RunError(Reason.OUT_OF_MEMORY, "the GPU ran out of memory"), OSError(28, "No space left on device")]
)
def test_what_the_first_rank_ends_with_is_not_explained_by_another(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "_FOR_THEIR_LAST_WORDS", 0.2)

    def work(ranks: Several) -> None:
        if not ranks.rank:
            raise error
        with ranks.step(torch.nn.Identity(), 2, completes=True):
            ranks.means({"loss": torch.tensor(1.0)})

    with pytest.raises(type(error)) as caught:
        both(tmp_path, work)
    assert caught.value is error


class Large:
    """A task whose batch fits on the GPU of no rank but one."""

    fits_in: int | None = None

    def __init__(self, context: TaskContext, workers: int | None = None) -> None:
        del workers
        self._ranks = context.ranks

    def fitted(self, data: CheckedDataset, device: str, notices: tuple[str, ...]) -> Fit:
        del data, device, notices
        self.follow()
        raise AssertionError

    def follow(self, *_data: object) -> None:
        with self._ranks.step(torch.nn.Identity(), 2, completes=True):
            if self._ranks.rank != self.fits_in:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            self._ranks.means({"loss": torch.tensor(1.0)})


@pytest.mark.parametrize("fits_in", [0, 1, None])
def test_whose_gpu_it_is_that_has_too_little_memory_is_all_the_same(
    fits_in: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Large, "fits_in", fits_in)
    context = TaskContext(run_document(), tmp_path, tmp_path, Progress(1, 4, 1), cpus=2, processes=2)
    pictures = tuple(Picture(name, tmp_path / name, 8, 8, Objects.none()) for name in ("one.png", "two.png"))
    data = CheckedDataset((), pictures, (), (), "", split_by_seed=False)
    with forking(), pytest.raises(RunError) as caught:
        fit_together(Large(context), context, data, None)
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    assert caught.value.message == "the GPU ran out of memory with a batch of 4 pictures"


def test_one_that_fails_before_it_is_ready_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "_FOR_THEIR_LAST_WORDS", 0.2)

    def work(_rank: int, _line: OtherLine) -> None:
        unforeseen()

    with forking():
        others = Company(work, 3, never)
        with pytest.raises(RunError, match="KeyError in rank"), others.together():
            others.wait_until_ready()


def test_one_that_ends_without_a_word_is_not_waited_for() -> None:
    def work(_rank: int, _line: OtherLine) -> None:
        os._exit(3)

    with forking():
        others = Company(work, 2, never)
        with pytest.raises(RunError, match="rank 1 ended with exit code 3 and did not say why"), others.together():
            others.wait_until_ready()


def test_a_first_rank_that_is_told_to_stop_ends_the_others_wherever_they_are(tmp_path: Path) -> None:
    def work(rank: int, line: OtherLine) -> None:
        (tmp_path / str(rank)).write_text(str(os.getpid()))
        line.ready()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        time.sleep(3600)

    with forking():
        others = Company(work, 3, never)
        with pytest.raises(Interrupted), others.together():
            others.wait_until_ready()
            raise Interrupted
    for rank in ("1", "2"):
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / rank).read_text()), 0)


def test_the_others_do_not_outlive_a_first_rank_that_is_killed(tmp_path: Path) -> None:
    def work(_rank: int, line: OtherLine) -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        line.ready()
        time.sleep(3600)

    with forking():
        first = os.fork()
        if not first:
            try:
                others = Company(work, 2, never)
                with others.together():
                    others.wait_until_ready()
                    killed()
            finally:
                os._exit(1)  # whatever happened: the rest of the tests is the parent's
        assert os.waitpid(first, 0)[1] == signal.SIGKILL
    other = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 60
    while lives(other):
        assert time.monotonic() < until
        time.sleep(0.01)


def lives(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_where_the_main_thread_does_not_notice_the_process_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "_FOR_THE_MAIN_THREAD", 0.0)
    said: list[tuple[Reason, str]] = []

    def work(_rank: int, _line: OtherLine) -> None:
        out_of_memory()

    with forking():
        others = Company(work, 2, lambda reason, message: said.append((reason, message)))
        with pytest.raises(Interrupted), others.together():
            while not said:
                time.sleep(0.01)
            raise Interrupted
    assert said == [(Reason.OUT_OF_MEMORY, "the GPU ran out of memory with a batch of 64 pictures")]
