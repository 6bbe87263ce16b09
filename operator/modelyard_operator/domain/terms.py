"""With what an attempt is run: as the spec asks, or with less where that is what an earlier attempt failed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from modelyard_api.outcome import Reason
from modelyard_api.recovery import LearningRateChange, OnFailure
from modelyard_api.spec import ImageCache, TrainingRunSpec
from modelyard_api.status import Attempt

from modelyard_operator.domain import display

EASED = (Reason.OUT_OF_MEMORY, Reason.HOST_OUT_OF_MEMORY, Reason.DIVERGED)
"""What asking for less may help against; asking for the same would end the same way."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What may differ from attempt to attempt; None is as the spec says. The names are those of `Attempt`."""

    batch_size: int
    effective_batch_size: int | None = None
    loader_workers: int | None = None
    image_cache: ImageCache | None = None
    learning_rate_factor: str | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> Terms:
        """Those of an attempt."""
        return cls(
            attempt.batch_size,
            attempt.effective_batch_size,
            attempt.loader_workers,
            attempt.image_cache,
            attempt.learning_rate_factor,
        )


def next_terms(spec: TrainingRunSpec, attempts: Sequence[Attempt]) -> Terms:
    """Those of the attempt that comes after `attempts`."""
    if not attempts:
        return Terms(spec.training.batch_size)
    return easier_terms(spec, attempts) or Terms.of(attempts[-1])


def easier_terms(spec: TrainingRunSpec, attempts: Sequence[Attempt]) -> Terms | None:
    """Terms that ask for less of what the last of `attempts` failed for; None where there are none."""
    latest = attempts[-1]
    match latest.reason:
        case Reason.OUT_OF_MEMORY:
            return _smaller_batch(spec, attempts)
        case Reason.HOST_OUT_OF_MEMORY:
            less = _less_beside_the_batch(spec, Terms.of(latest))
            # Without a GPU the batch lies in the same memory.
            return less if less is not None or spec.resources.gpus else _smaller_batch(spec, attempts)
        case Reason.DIVERGED:
            return _smaller_steps(spec, attempts)
    return None


def _smaller_batch(spec: TrainingRunSpec, attempts: Sequence[Attempt]) -> Terms | None:
    before, times = Terms.of(attempts[-1]), sum(b.batch_size < a.batch_size for a, b in pairwise(attempts))
    oom, accumulation = spec.recovery.oom, spec.training.gradient_accumulation
    # As decimals: 100 times 0.29 is 29.
    batch = max(smallest_batch(spec), shared_batch(spec, int(before.batch_size * Decimal(str(oom.factor)))))
    if oom.action is OnFailure.FAIL or times >= oom.max_reductions or batch >= before.batch_size:
        return None
    if oom.keep_effective_batch:
        return replace(before, batch_size=batch)
    step, step_before = batch * accumulation, step_size(spec, before)
    factor = before.learning_rate_factor
    if oom.learning_rate is LearningRateChange.SCALE:
        factor = _multiplied(factor, step / step_before)
    return replace(before, batch_size=batch, effective_batch_size=step, learning_rate_factor=factor)


def smallest_batch(spec: TrainingRunSpec) -> int:
    """The smallest batch that running out of memory may lead to."""
    gpus = max(1, spec.resources.gpus)
    return max(gpus, shared_batch(spec, spec.recovery.oom.min_batch_size + gpus - 1))


def shared_batch(spec: TrainingRunSpec, pictures: int) -> int:
    """The largest batch of at most so many pictures that the GPUs can share equally; 0 where there is none."""
    return pictures - pictures % max(1, spec.resources.gpus)


def _less_beside_the_batch(spec: TrainingRunSpec, before: Terms) -> Terms | None:
    """No pictures kept in memory and half the workers; then no workers at all."""
    in_memory = cache_of(spec, before) is ImageCache.MEMORY
    # Without a GPU the trainer loads pictures by itself, whatever is asked for.
    workers = workers_of(spec, before) if spec.resources.gpus else 0
    if not in_memory and not workers:
        return None
    first = before.loader_workers is None and before.image_cache is None
    return replace(
        before,
        image_cache=ImageCache.NONE if in_memory else before.image_cache,
        loader_workers=(workers // 2 if first else 0) if workers else before.loader_workers,
    )


def _smaller_steps(spec: TrainingRunSpec, attempts: Sequence[Attempt]) -> Terms | None:
    before, divergence = Terms.of(attempts[-1]), spec.recovery.divergence
    times = sum(attempt.reason == Reason.DIVERGED for attempt in attempts)
    if divergence.action is OnFailure.FAIL or times > divergence.max_retries:
        return None
    factor = _multiplied(before.learning_rate_factor, divergence.learning_rate_factor)
    return replace(before, learning_rate_factor=factor)


def step_size(spec: TrainingRunSpec, terms: Terms) -> int:
    """Pictures in one optimizer step."""
    return terms.effective_batch_size or spec.training.batch_size * spec.training.gradient_accumulation


def workers_of(spec: TrainingRunSpec, terms: Terms) -> int:
    """Processes that load pictures."""
    return spec.training.workers if terms.loader_workers is None else terms.loader_workers


def cache_of(spec: TrainingRunSpec, terms: Terms) -> ImageCache:
    """Where decoded pictures are kept."""
    return terms.image_cache or spec.training.cache


def _multiplied(factor: str | None, by: float) -> str:
    return display.decimal(float(factor or 1) * by)
