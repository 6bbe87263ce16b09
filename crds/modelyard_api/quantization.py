"""Training that knows that its network will compute in 8 bits (QAT)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel


class Quantization(ApiModel):
    """Further epochs from the best weights, in which they and activations are rounded as an int8 file rounds them."""

    epochs: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Epochs after those of spec.training.epochs; a tenth of them mostly suffices. In the last "
            "quarter of them the ranges of activations no longer follow.",
        ),
    ] = 5
    learning_rate_factor: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Their first learning rate as a share of spec.training.optimizer.learningRate; it falls to "
            "a hundredth of that on a cosine.",
        ),
    ] = 0.01
