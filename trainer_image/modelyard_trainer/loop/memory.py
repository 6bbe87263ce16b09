"""Running out of memory, told apart from other errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

_CUDA = (
    "cuda out of memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    # ultralytics takes these for want of memory too: cuDNN found no algorithm whose workspace fits.
    "cudnn_status_internal_error",
    "unable to find an engine",
)
_HOST = ("defaultcpuallocator", "is killed by signal: killed", "cannot allocate memory", "out of shared memory")


@contextmanager
def explain_memory(batch_size: int) -> Iterator[None]:
    """Turn the errors that torch raises for want of memory into what they mean."""
    try:
        yield
    except MemoryError as error:
        raise _host(str(error)) from error
    except RuntimeError as error:
        text = str(error).lower()
        if any(sign in text for sign in _CUDA):
            raise RunError(
                Reason.OUT_OF_MEMORY, f"the GPU ran out of memory with a batch of {batch_size} pictures"
            ) from error
        if any(sign in text for sign in _HOST):
            raise _host(str(error).partition("\n")[0]) from error
        raise


def _host(detail: str) -> RunError:
    return RunError(
        Reason.HOST_OUT_OF_MEMORY,
        f"the pod ran out of memory ({detail}); more of spec.resources.memory or sharedMemory, or fewer "
        "spec.training.workers, would be right",
    )
