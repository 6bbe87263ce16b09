"""A network that torch compiles: what is called in training in its place. Imports torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from modelyard_api.outcome import Reason
from torch import nn

from modelyard_trainer.errors import RunError

Backend = str | Callable[..., Any]
"""A name that torch knows, or what makes a function of a graph and its example inputs."""
INDUCTOR = "inductor"


def as_it_is(network: nn.Module) -> nn.Module:
    """What is called where nothing is compiled: the network."""
    return network


class Compiling:
    """Compiles networks. They share their parameters and buffers with what they are compiled to, and keep their names.

    Args:
        folder: for what the compiler writes.
        threads: of the compiler.
        backend: what compiles.
    """

    def __init__(self, folder: Path, threads: int, backend: Backend = INDUCTOR) -> None:
        self._backend = backend
        self._network: nn.Module | None = None
        self._compiled: nn.Module | None = None
        if backend == INDUCTOR:
            import torch._inductor.config as inductor  # noqa: PLC0415 - seconds

            # It reads this whenever it writes; by default it takes a folder that the next run might find.
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
            inductor.compile_threads = threads

    def prove(self, device: str) -> None:
        """Compile something small: the network's turn comes with the first batch.

        Raises:
            RunError: SpecInvalid; nothing can be compiled here.
        """
        try:
            self._made(nn.Softplus().to(device))(torch.ones(64, device=device))
        except Exception as error:  # of many kinds, with the compiler's words
            first = str(error).strip().partition("\n")[0]
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.training.compile: torch cannot compile here ({type(error).__name__}: {first}); false, or an "
                "image with a C++ compiler, would be right",
            ) from error

    def __call__(self, network: nn.Module) -> nn.Module:
        """What is to be called in place of a network, until another one is given."""
        if self._compiled is None or network is not self._network:
            self._network, self._compiled = network, self._made(network)
        return self._compiled

    def _made(self, network: nn.Module) -> nn.Module:
        # One graph for each size of batch: which one computes a batch must not depend on those before it.
        return cast("nn.Module", torch.compile(network, backend=self._backend, dynamic=False))
