"""Running out of memory, told apart from other errors. Knows no torch: what it raises is known by its names."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

_OF_A_GPU = "OutOfMemoryError"
"""torch's error for any accelerator; its text names the maker's library, CUDA or another."""
_GPU = (
    "cuda out of memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    # ultralytics takes these for want of memory too: cuDNN found no algorithm whose workspace fits.
    "cudnn_status_internal_error",
    "unable to find an engine",
)
_HOST = (
    "defaultcpuallocator",
    "is killed by signal: killed",
    "cannot allocate memory",
    "out of shared memory",
    "bad_alloc",
    # ONNX Runtime and OpenCV
    "failed to allocate memory for requested buffer",
    "insufficient memory",
)
_PLACE_IN_TORCH = re.compile(r"^\[enforce fail at [^]]*\][^.]*\. ")
_log = logging.getLogger("modelyard.process")


@contextmanager
def explain_memory(batch_size: int) -> Iterator[None]:
    """Turn the errors that libraries raise for want of memory into what they mean.

    Raises:
        RunError: OutOfMemory or HostOutOfMemory.
    """
    try:
        yield
    except Exception as error:
        want = want_of_memory(error, batch_size)
        if want is None:
            raise
        _log.info("this is told as want of memory", exc_info=error)
        raise want from error


def want_of_memory(error: BaseException, batch_size: int | None = None) -> RunError | None:
    """How a run ends with this error where it, or what it was raised from, is want of memory; None otherwise."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RunError):
        text = str(cause).lower()
        if any(kind.__name__ == _OF_A_GPU for kind in type(cause).__mro__) or any(sign in text for sign in _GPU):
            with_what = f" with a batch of {batch_size} pictures" if batch_size else ""
            return RunError(Reason.OUT_OF_MEMORY, f"the GPU ran out of memory{with_what}")
        if (
            isinstance(cause, MemoryError)
            or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
            or any(sign in text for sign in _HOST)
        ):
            return host_out_of_memory(str(cause))
        cause = cause.__cause__
    return None


def host_out_of_memory(said: str = "") -> RunError:
    """The end of a run whose pod has too little memory; of what was `said` a person is told the first line."""
    detail = _PLACE_IN_TORCH.sub("", said.strip().partition("\n")[0]).rstrip(" .")
    return RunError(
        Reason.HOST_OUT_OF_MEMORY,
        f"the pod ran out of memory{f' ({detail})' if detail else ''}; more of spec.resources.memory or sharedMemory, "
        "or fewer spec.training.workers, would be right",
    )
