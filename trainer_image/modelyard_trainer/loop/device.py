"""Where a training runs."""

from __future__ import annotations

import os
import shutil

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import MixedPrecision, TrainingRunSpec

from modelyard_trainer.errors import RunError


def check_device(spec: TrainingRunSpec) -> None:
    """Refuse what no machine could do, before torch is imported.

    Raises:
        RunError: SpecInvalid; mixed precision without a GPU, or compiling without a compiler.
    """
    if spec.training.amp is not MixedPrecision.DISABLED and spec.resources.gpus == 0:
        raise _amp_needs_gpu(spec, "spec.resources.gpus is 0")
    compiler = os.environ.get("CXX", "g++")  # as torch asks for it
    if spec.training.compile and spec.mode is Mode.TRAIN and not shutil.which(compiler):
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.compile: this image has no C++ compiler ({compiler}), which torch.compile needs; false, or "
            "an image with one, would be right",
        )


def ranks_wanted(document: RunDocument, processes: int | None) -> int:
    """In how many processes it is trained: in one for each GPU, in one where there is none, or as said otherwise.

    Args:
        document: the run.
        processes: how many, whatever the spec says.

    Raises:
        RunError: SpecInvalid; there are fewer GPUs in sight than that, they cannot share a batch, or the epochs in 8
            bits, which know one process alone.
    """
    import torch  # noqa: PLC0415 - seconds

    wanted, there = processes or document.spec.resources.gpus, torch.cuda.device_count()
    if wanted < 2 or not (there or processes):
        return 1
    if document.training.quantization:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.quantization: it trains in one process, not in {wanted}; leave it out, or ask for one",
        )
    if there and wanted > there and document.spec.resources.gpus:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.resources.gpus: {wanted}, but torch sees {there} where this pod runs; {there} would be right",
        )
    if document.batch_size % wanted:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.batchSize: {document.batch_size} pictures cannot be shared by {wanted} GPUs; "
            f"{-(-document.batch_size // wanted) * wanted} would be right",
        )
    return wanted


def pick_device(spec: TrainingRunSpec) -> tuple[str, tuple[str, ...]]:
    """The device to train on, as torch calls it, and what is to be said of it.

    Raises:
        RunError: SpecInvalid; mixed precision, and no GPU in sight.
    """
    import torch  # noqa: PLC0415 - seconds

    wanted, there = spec.resources.gpus > 0, torch.cuda.is_available()
    if spec.training.amp is not MixedPrecision.DISABLED and not there:
        raise _amp_needs_gpu(spec, "torch sees no CUDA device where this pod runs")
    if wanted and there:
        return "cuda:0", ()
    return "cpu", (("no CUDA device is in sight, so the training ran on the CPU",) if wanted else ())


def _amp_needs_gpu(spec: TrainingRunSpec, why_there_is_none: str) -> RunError:
    return RunError(
        Reason.SPEC_INVALID,
        f"spec.training.amp: {spec.training.amp.value} needs a GPU, and {why_there_is_none}; without one, disabled "
        "would be right",
    )
