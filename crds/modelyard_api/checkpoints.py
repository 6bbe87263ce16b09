"""When a training's state is kept, and how much of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, PositiveDuration


class CheckpointPolicy(ApiModel):
    """How often a training's state is kept, so that another attempt can go on from there."""

    every: Annotated[
        PositiveDuration,
        Field(
            description="Time between two checkpoints: at the end of an epoch, or inside one that lasts longer. One is "
            "also taken when the pod is told to stop, at the very batch. 99999h is as good as never."
        ),
    ] = "5m"
    every_epochs: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Keep one at the end of every so many epochs too, however soon after the last.",
        ),
    ] = None
    keep_last: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Checkpoints that are kept of the run, the newest ones; when the newest turns out to be "
            "damaged, the one before it is used.",
        ),
    ] = 2
