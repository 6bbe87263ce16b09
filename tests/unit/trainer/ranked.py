"""What two ranks make of a function: forked, since they have imported already what takes seconds."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.loop import company
from modelyard_trainer.loop.company import Company, OtherLine
from modelyard_trainer.loop.several import Several

Result = TypeVar("Result")


@contextmanager
def forking() -> Iterator[None]:
    """Ranks are forked until the block ends, and meet on the loopback."""
    gc.collect()
    gc.freeze()  # a fork must not clear away what belongs to threads that it does not have
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(company, "START", "fork")
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        yield
    gc.unfreeze()


def never(reason: Reason, message: str) -> None:
    """Fail: nothing hangs here."""
    print(f"a rank hung: {reason}: {message}", file=sys.__stderr__, flush=True)
    os._exit(1)


def both(folder: Path, function: Callable[[Several], Result]) -> tuple[Result, Result]:
    """What the function gives in either of two ranks, which find each other in an empty folder."""

    def other(rank: int, line: OtherLine) -> None:
        ranks = Several(rank, 2, "cpu", folder / "meeting", line)
        torch.save(function(ranks), folder / "other")
        ranks.leave()

    with forking():
        others = Company(other, 2, never)
        with others.together():
            ranks = Several(0, 2, "cpu", folder / "meeting", others)
            try:
                mine = function(ranks)
            except BaseException:
                ranks.desert()
                raise
            ranks.leave()
    return mine, torch.load(folder / "other", weights_only=True)
