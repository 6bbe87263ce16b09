"""What a person is told when an attempt asked for too much: what comes next, or what would help."""

from __future__ import annotations

import re

from modelyard_api.outcome import Reason
from modelyard_api.quantity import quantity
from modelyard_api.recovery import OnFailure
from modelyard_api.reid import Reid
from modelyard_api.spec import DETECTION_STRIDE, SMALLEST_SIDE, ImageCache, MixedPrecision, Task, TrainingRunSpec
from modelyard_api.status import Attempt

from modelyard_operator.domain.terms import Terms, cache_of, shared_batch, smallest_batch, step_size, workers_of

_SIZED = re.compile(r"(?P<family>yolo(?:v5|v8|v10|11|12|26))(?P<size>[smlx])(?P<rest>6?u?)")
_SMALLER = {"x": "l", "l": "m", "m": "s", "s": "n"}
_FEWER = 4 / 5
_MIB, _GIB = 2**20, 2**30


def goes_on(spec: TrainingRunSpec, ended: Attempt, terms: Terms) -> str:
    """What happened to `ended` and with what the next attempt goes on."""
    changes = _and(_changes(spec, Terms.of(ended), terms))
    return f"{_what_happened(spec, ended)}; attempt {ended.number + 1} goes on with {changes}"


def begins(spec: TrainingRunSpec, attempt: Attempt) -> str:
    """That `attempt` begins, and with what, where that is not what was asked for."""
    changes = _changes(spec, Terms(spec.training.batch_size), Terms.of(attempt))
    with_what = f", with {_and(changes)}" if changes else ""
    return f"attempt {attempt.number} begins as Job {attempt.job_name}{with_what}"


def ends_here(spec: TrainingRunSpec, ended: Attempt) -> str:
    """What happened to `ended`, why the run does not go on, and what would help."""
    why = _why_no_more(spec, ended)
    return f"{_what_happened(spec, ended)}{f', and {why}' if why else ''}; {recommendations(spec, ended)}"


def recommendations(spec: TrainingRunSpec, ended: Attempt) -> str:
    """What a new run would need to change."""
    match ended.reason:
        case Reason.OUT_OF_MEMORY if spec.resources.gpus:
            kind = spec.resources.gpu_type
            more = f"a GPU with more memory than {kind}" if kind else "a GPU with more memory"
            found = [*_less_to_compute(spec, ended), more]
        case Reason.HOST_OUT_OF_MEMORY if spec.resources.gpus:
            found = [_more_memory(spec), *_less_to_load(spec, ended)]
        case Reason.OUT_OF_MEMORY | Reason.HOST_OUT_OF_MEMORY:
            found = [_more_memory(spec), *_less_to_load(spec, ended), *_less_to_compute(spec, ended)]
        case _:
            found = ["a lower training.optimizer.learningRate", "a longer training.schedule.warmupEpochs"]
            if spec.recovery.divergence.action is OnFailure.FAIL:
                found.append("recovery.divergence.action retry, which lowers the rate by itself")
    return f"what would help: {'; '.join(found)}"


def _what_happened(spec: TrainingRunSpec, ended: Attempt) -> str:
    match ended.reason:
        case Reason.OUT_OF_MEMORY:
            whose = "GPU memory" if spec.resources.gpus else "memory"
            return f"attempt {ended.number} ran out of {whose} with a batch of {ended.batch_size}"
        case Reason.HOST_OUT_OF_MEMORY:
            return f"attempt {ended.number} needed more memory than resources.memory, {spec.resources.memory}"
    return f"attempt {ended.number} diverged: {ended.message}"


def _why_no_more(spec: TrainingRunSpec, ended: Attempt) -> str:
    oom, divergence = spec.recovery.oom, spec.recovery.divergence
    if ended.reason == Reason.DIVERGED:
        used = f"recovery.divergence.maxRetries, {divergence.max_retries}, are used"
        return "" if divergence.action is OnFailure.FAIL else used
    if ended.reason == Reason.HOST_OUT_OF_MEMORY and spec.resources.gpus:
        return "there is neither an image cache nor a loader worker left to do without"
    if oom.action is OnFailure.FAIL:
        return "recovery.oom.action is fail"
    if ended.batch_size <= smallest_batch(spec):
        if oom.min_batch_size <= spec.resources.gpus > 1:
            return f"{spec.resources.gpus} GPUs can share no smaller one"
        return f"recovery.oom.minBatchSize, {oom.min_batch_size}, allows no smaller one"
    return f"recovery.oom.maxReductions, {oom.max_reductions}, are used"


def _changes(spec: TrainingRunSpec, before: Terms, after: Terms) -> list[str]:
    found = []
    if after.batch_size != before.batch_size:
        found.append(f"a batch of {after.batch_size}")
    if step_size(spec, after) != step_size(spec, before):
        found.append(f"optimizer steps of {step_size(spec, after)} pictures")
    if workers_of(spec, after) != workers_of(spec, before):
        found.append(f"{workers_of(spec, after)} loader workers instead of {workers_of(spec, before)}")
    if cache_of(spec, after) is not cache_of(spec, before):
        found.append("no image cache")
    if after.learning_rate_factor != before.learning_rate_factor:
        found.append(f"{after.learning_rate_factor} of the learning rate that was asked for")
    return found


def _less_to_compute(spec: TrainingRunSpec, ended: Attempt) -> list[str]:
    training, found = spec.training, []
    if half := shared_batch(spec, ended.batch_size // 2):
        found.append(f"training.batchSize {half} instead of {ended.batch_size}")
    found += _smaller_pictures(spec)
    architecture = spec.model.architecture
    sized = _SIZED.fullmatch(architecture)
    if sized is not None:
        smaller = f"{sized['family']}{_SMALLER[sized['size']]}{sized['rest']}"
        found.append(f"model.architecture {smaller} instead of {architecture}")
    if training.amp is MixedPrecision.DISABLED and spec.resources.gpus:
        found.append("training.amp bf16")
    return found


def _smaller_pictures(spec: TrainingRunSpec) -> list[str]:
    if spec.task is Task.REID:
        block = spec.reid or Reid()
        return [f"smaller reid.height and reid.width than {block.height} x {block.width}"]
    size = spec.training.image_size
    step = DETECTION_STRIDE if spec.task is Task.DETECTION else 1
    smaller = int(size * _FEWER) // step * step
    return [f"training.imageSize {smaller} instead of {size}"] if smaller >= SMALLEST_SIDE else []


def _less_to_load(spec: TrainingRunSpec, ended: Attempt) -> list[str]:
    terms, found = Terms.of(ended), []
    if cache_of(spec, terms) is ImageCache.MEMORY:
        found.append("training.cache none")
    if spec.resources.gpus and workers_of(spec, terms):
        found.append(f"fewer training.workers than {workers_of(spec, terms)}")
    return found


def _more_memory(spec: TrainingRunSpec) -> str:
    asked = spec.resources.memory
    return f"resources.memory {_half_as_much_again(asked)} instead of {asked}"


def _half_as_much_again(memory: str) -> str:
    wanted = int(quantity(memory) * 3 / 2)
    unit, name = (_GIB, "Gi") if wanted >= 2 * _GIB else (_MIB, "Mi")
    return f"{-(-wanted // unit)}{name}"


def _and(parts: list[str]) -> str:
    return " and ".join(([", ".join(parts[:-1])] if parts[1:] else []) + parts[-1:])
