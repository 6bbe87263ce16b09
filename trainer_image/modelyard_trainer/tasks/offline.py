"""Libraries that every torch task uses, without their habits: no downloads, no telemetry, no threads too many."""

from __future__ import annotations

import os
from pathlib import Path


def prepare(scratch: Path, threads: int) -> None:
    """Make them harmless in this process: caches below `scratch`, `threads` CPU threads. Imports torch."""
    silence(scratch, threads)
    limit(threads)


def limit(threads: int) -> None:
    """Have torch use `threads` CPU threads, and spend no time on memory that nothing reads. Imports it."""
    import torch  # noqa: PLC0415 - seconds

    torch.set_num_threads(threads)
    # Deterministic algorithms would fill all new memory first, in case somebody reads what nobody has written: 4 per
    # cent of a small network's step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def silence(scratch: Path, threads: int) -> None:
    """Set the variables that they read when they are imported."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(scratch / "huggingface"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": str(threads),
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's own, on by default: it keeps a device id and calls home
    }
