"""Libraries that every torch task uses, without their habits: no downloads, no telemetry, no threads too many."""

from __future__ import annotations

import os
from pathlib import Path


def prepare(scratch: Path, threads: int) -> None:
    """Make them harmless in this process: caches below `scratch`, `threads` CPU threads. Imports torch."""
    silence(scratch, threads)
    import torch  # noqa: PLC0415 - seconds, and it reads them

    torch.set_num_threads(threads)


def silence(scratch: Path, threads: int) -> None:
    """Set the variables that they read when they are imported."""
    # OpenMP's threads spin for milliseconds while they wait for each other, unless told otherwise. Where a quota or a
    # neighbour takes the CPU from one of them, the others burn theirs: a step of a small network took five times the
    # CPU seconds. Threads that sleep at once wake late: an epoch took a fifth longer than with some 50 us of spinning.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(scratch / "huggingface"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": str(threads),
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's own, on by default: it keeps a device id and calls home
    }
