"""What is told as want of memory, whose, and in which words."""

from __future__ import annotations

import errno

import pytest
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.memory import explain_memory, want_of_memory

GPU, HOST = Reason.OUT_OF_MEMORY, Reason.HOST_OUT_OF_MEMORY
KILLED = "DataLoader worker (pid 7) is killed by signal: Killed. "
ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "512 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10"
)


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class OutOfMemoryError(RuntimeError):
    """torch's, as far as it is known here."""


class MyOutOfMemoryError(OutOfMemoryError):
    """A library's own kind of it."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("HIP: nothing that is known"), GPU),
        (MyOutOfMemoryError(), GPU),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), GPU),
        (RuntimeError("CUDA error: out of memory"), GPU),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), GPU),
        (RuntimeError("GET was unable to find an engine to execute this computation"), GPU),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), GPU),
        (MemoryError(), HOST),
        (RuntimeError(ALLOCATOR), HOST),
        (RuntimeError(KILLED), HOST),
        (raised_from(RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), RuntimeError(KILLED)), HOST),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), HOST),
        (RuntimeError("std::bad_alloc"), HOST),
        (Exception("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 9"), HOST),
        (Exception("OpenCV(4.12.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"), HOST),
    ],
    ids=lambda value: str(value) or type(value).__name__,
)
def test_want_of_memory_is_told_apart(error: Exception, reason: Reason) -> None:
    with pytest.raises(RunError) as ended, explain_memory(32):
        raise error
    assert ended.value.reason is reason


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shape mismatch"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
        raised_from(ValueError("cannot be read"), KeyError("model")),
        RunError(Reason.EXPORT_FAILED, "it says: CUDA out of memory"),
        raised_from(OSError("nobody answers"), RunError(Reason.STORE_UNREACHABLE, "it cannot allocate memory")),
    ],
    ids=str,
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as ended, explain_memory(32):
        raise error
    assert ended.value is error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError(), "the GPU ran out of memory with a batch of 32 pictures"),
        (MemoryError(), "the pod ran out of memory; more of"),
        (RuntimeError(KILLED), "the pod ran out of memory (DataLoader worker (pid 7) is killed by signal: Killed); "),
        (
            RuntimeError(ALLOCATOR),
            "the pod ran out of memory (DefaultCPUAllocator: can't allocate memory: you tried to allocate 512 bytes. "
            "Error code 12 (Cannot allocate memory)); more of spec.resources.memory or sharedMemory, or fewer "
            "spec.training.workers, would be right",
        ),
    ],
    ids=["GPU", "Python", "worker", "torch"],
)
def test_a_person_reads_one_sentence(error: Exception, said: str) -> None:
    told = want_of_memory(error, 32)
    assert told is not None
    assert told.message.startswith(said)
    assert "\n" not in told.message
