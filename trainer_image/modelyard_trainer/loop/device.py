"""Where a training runs."""

from __future__ import annotations

from modelyard_api.outcome import Reason
from modelyard_api.spec import MixedPrecision, TrainingRunSpec

from modelyard_trainer.errors import RunError


def check_device(spec: TrainingRunSpec) -> None:
    """Refuse what no machine could do, before torch is imported.

    Raises:
        RunError: SpecInvalid; mixed precision without a GPU, or more than one GPU.
    """
    if spec.training.amp is not MixedPrecision.DISABLED and spec.resources.gpus == 0:
        raise _amp_needs_gpu(spec, "spec.resources.gpus is 0")
    if spec.resources.gpus > 1:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.resources.gpus: {spec.resources.gpus}, but this version trains {spec.task.value} on one GPU",
        )


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
