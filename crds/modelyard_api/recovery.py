"""What happens when an attempt does not end well."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from modelyard_api.base import ApiModel, Duration, PositiveDuration, Rule


class OnFailure(StrEnum):
    """What follows an attempt that ended so."""

    RETRY = "retry"
    FAIL = "fail"


class LearningRateChange(StrEnum):
    """What a smaller step does to the learning rate."""

    KEEP = "keep"
    SCALE = "scale"


class OutOfMemory(ApiModel):
    """How a run goes on after its GPU ran out of memory: with a smaller batch, or not at all."""

    rules: ClassVar = (
        Rule(
            "self.learningRate == 'keep' || !self.keepEffectiveBatch",
            "must be keep, since steps of as many pictures as before need no other; or set keepEffectiveBatch to false",
            path=".learningRate",
            holds=lambda oom: oom.learning_rate is LearningRateChange.KEEP or not oom.keep_effective_batch,
        ),
    )

    action: Annotated[
        OnFailure,
        Field(
            description="retry: the next attempt has a smaller batch, and uses up none of maxRetries. "
            "fail: the run fails."
        ),
    ] = OnFailure.RETRY
    factor: Annotated[
        float, Field(gt=0, lt=1, description="The next attempt's batch as a fraction of this one's, rounded down.")
    ] = 0.5
    min_batch_size: Annotated[int, Field(ge=1, le=65_536, description="The batch is made no smaller than this.")] = 1
    max_reductions: Annotated[int, Field(ge=1, le=16, description="How often the batch is made smaller at most.")] = 4
    keep_effective_batch: Annotated[
        bool,
        Field(
            description="Whether optimizer steps stay as large as asked for (batchSize * gradientAccumulation, as near "
            "as whole passes come to it), in more passes; false makes them smaller with the batch."
        ),
    ] = True
    learning_rate: Annotated[
        LearningRateChange,
        Field(
            description="What smaller steps, with keepEffectiveBatch false, do to the learning rate: keep it, or scale "
            "it by the same fraction."
        ),
    ] = LearningRateChange.KEEP


class Divergence(ApiModel):
    """How a run goes on after its loss became infinite or not a number."""

    action: Annotated[
        OnFailure,
        Field(
            description="fail: not at all, since the seed makes another attempt go the same way. retry: from the last "
            "good checkpoint with a lower learning rate, and none of recovery.maxRetries is used up."
        ),
    ] = OnFailure.FAIL
    learning_rate_factor: Annotated[
        float, Field(ge=1e-6, lt=1, description="The next attempt's learning rates as a fraction of this one's.")
    ] = 0.1
    max_retries: Annotated[int, Field(ge=1, le=16, description="How often the learning rate is lowered at most.")] = 2


class Recovery(ApiModel):
    """What happens when an attempt does not end well, and how long things may take."""

    max_retries: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="New attempts after a failure that may pass. An error in the spec or the data is never "
            "retried.",
        ),
    ] = 3
    oom: Annotated[
        OutOfMemory,
        Field(description="What follows when the GPU, or without one the pod, has too little memory for the batch."),
    ] = OutOfMemory()
    divergence: Annotated[
        Divergence,
        Field(description="What follows when the loss becomes infinite or not a number."),
    ] = Divergence()
    active_deadline: Annotated[
        PositiveDuration | None,
        Field(
            description="Time after the first start, over all attempts, after which the run fails, such as 72h. Time "
            "in which the run is suspended, or waits in a queue, does not count."
        ),
    ] = None
    stall_timeout: Annotated[
        PositiveDuration,
        Field(
            description="Time without any sign of progress after which the attempt is restarted; 99999h is as good as "
            "never."
        ),
    ] = "30m"
    start_deadline: Annotated[
        PositiveDuration | None,
        Field(
            description="Time that an attempt may wait for a node and its image before the run fails; for ever "
            "without it."
        ),
    ] = None
    ttl_after_finished: Annotated[
        Duration,
        Field(
            description="Time after the end when the run's Jobs and pods are deleted, never the TrainingRun; 99999h is "
            "as good as never."
        ),
    ] = "24h"
