"""Several processes that train one model, by torch's DistributedDataParallel. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from modelyard_trainer.loop.company import Line
from modelyard_trainer.loop.ranks import Ranks

Value = TypeVar("Value")
PATIENCE = timedelta(minutes=10)
"""How long ranks wait for each other within a step; NCCL's own default."""


class Several(Ranks):
    """One of several processes on this machine.

    Whoever makes it waits for the others, at most for `PATIENCE`.

    Args:
        rank: which of them, from 0.
        count: of them.
        device: this rank's, as torch calls it.
        meeting: a file by which they find each other; nobody has used it before.
        line: to the first rank, or from it to the others.
    """

    def __init__(self, rank: int, count: int, device: str, meeting: Path, line: Line) -> None:
        self.rank, self.count, self._line = rank, count, line
        self._device = torch.device(device)
        on_gpu = self._device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(self._device)
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            store=dist.FileStore(str(meeting), count),  # type: ignore[attr-defined]
            rank=rank,
            world_size=count,
            timeout=PATIENCE,
            device_id=self._device if on_gpu else None,
        )
        self._learning: tuple[str, ...] = ()
        self._replica: nn.Module | None = None
        self._pictures = 0

    def leave(self) -> None:
        """Part from the others, who are at the same place."""
        self._replica = None
        dist.destroy_process_group()

    def desert(self) -> None:
        """Leave the others wherever they are."""
        self._replica = None
        self.abort()
        if dist.get_backend() == "gloo":  # which waits for nobody
            dist.destroy_process_group()

    def abort(self) -> None:
        """Let this process go on, with an error, where a GPU waits for a rank that is no more."""
        if dist.is_initialized() and dist.get_backend() == "nccl":
            group: Any = dist.group.WORLD
            group.abort()

    def replica(self, model: nn.Module, *, unused: bool = False) -> nn.Module:
        """The model behind a DistributedDataParallel, made anew when other parameters learn than before."""
        learning = tuple(name for name, parameter in model.named_parameters() if parameter.requires_grad)
        if self._replica is None or learning != self._learning:
            self._replica = None  # its hooks go first
            device_ids = [self._device.index] if self._device.type == "cuda" else None
            self._replica = DistributedDataParallel(
                model, device_ids=device_ids, find_unused_parameters=unused, gradient_as_bucket_view=True
            )
            self._learning = learning
        return self._replica

    @contextmanager
    def step(self, replica: nn.Module, pictures: int, *, completes: bool) -> Iterator[None]:
        """Gradients are averaged over the ranks at the end of a block that completes the optimizer's step."""
        self._pictures = pictures
        parallel = cast("DistributedDataParallel", replica)
        silence: AbstractContextManager[object] = nullcontext() if completes else parallel.no_sync()
        with silence:
            yield

    @property
    def weight(self) -> float:
        """DistributedDataParallel averages over ranks; the shares of a last batch may differ by a picture."""
        return self.count * len(self.share(self._pictures)) / self._pictures

    def means(self, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same on every rank, bit for bit."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        stacked *= len(self.share(self._pictures)) / self._pictures
        dist.all_reduce(stacked)
        return dict(zip(values, stacked.unbind(), strict=True))

    def whole(self, rows: Tensor) -> Tensor:
        """Sums of rows and zeros, so that shares of different sizes need no special case."""
        gathered: Tensor = _Whole.apply(rows, self.share(self._pictures), self._pictures)
        return gathered

    def from_first(self, make: Callable[[], Value]) -> Value:
        """By a pipe, where waiting has no end but the process's."""
        if self.rank:
            return cast("Value", self._line.hear())
        value = make()
        self._line.tell(value)
        return value


class _Whole(torch.autograd.Function):
    """Rows of all ranks; the gradient of a row is the sum of what all ranks have for it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, share: range, pictures: int) -> Tensor:
        ctx.share = share
        whole = rows.new_zeros((pictures, *rows.shape[1:]))
        whole[share.start : share.stop] = rows
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        summed = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed[ctx.share.start : ctx.share.stop], None, None
