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
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(scratch / "huggingface"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": str(threads),
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's own, on by default: it keeps a device id and calls home
    }
