"""Whether a GPU would be waited for, seen on the CPU: by the operations whose result the processor needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_READ = {"_local_scalar_dense", "equal", "is_nonzero", "item"}
_SIZED = {"_unique", "_unique2", "unique_consecutive", "unique_dim", "nonzero", "masked_select", "repeat_interleave"}
"""Their result has as many elements as the data say."""
_INDEXING = {"index", "index_put", "index_put_"}
"""As the above, where a mask says which."""


class Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is read of tensors while it is entered.

    Args:
        but: tensors that stay on the CPU whatever the device is, asked for at each read.
    """

    def __init__(self, but: Callable[[], Iterable[Tensor]] = lambda: ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = 0
        """Operations of any kind."""
        self.found: list[tuple[str, str]] = []
        """Name of the operation, and of the function that asked for it."""
        self._but = but

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.seen += 1
        name = func.overloadpacket.__name__
        if self._waits(name, args) and args[0].data_ptr() not in {each.data_ptr() for each in self._but()}:
            self.found.append((name, _asker()))
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _waits(name: str, args: tuple[Any, ...]) -> bool:
        masks = args[1] if name in _INDEXING else ()
        return name in _READ | _SIZED or any(
            mask is not None and mask.dtype in {torch.bool, torch.uint8} for mask in masks
        )


class ReadSteps:
    """A loader of which all that is done with each batch is watched, and nothing between two epochs.

    Args:
        loader: gives the batches.
        reads: notes.
    """

    def __init__(self, loader: Any, reads: Reads) -> None:
        self._loader, self._reads = loader, reads

    def __len__(self) -> int:
        return len(self._loader)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Any]:
        for batch in self._loader.epoch(epoch, first):
            with self._reads:
                yield batch


def steps_of(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """The counters of an optimizer, and what NAdam makes of them: torch keeps both on the CPU."""
    return (state[name] for state in optimizer.state.values() for name in ("step", "mu_product") if name in state)


def _asker() -> str:
    frame: Any = sys._getframe(1)
    while "/torch/" in frame.f_code.co_filename or frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return str(frame.f_code.co_name)
