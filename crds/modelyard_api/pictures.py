"""How pictures become what a network sees, for every task that looks at one thing a picture."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel

Probability = Annotated[float, Field(ge=0, le=1)]


class RandAugment(ApiModel):
    """Random operations on each training picture, as timm's rand-m<magnitude>-n<operations>-mstd0.5."""

    magnitude: Annotated[int, Field(ge=0, le=10, description="How strong they are.")] = 9
    operations: Annotated[int, Field(ge=1, le=10, description="How many, one after the other.")] = 2


class PictureAugment(ApiModel):
    """How training pictures are varied."""

    horizontal_flip: Annotated[Probability, Field(description="Probability of mirroring left and right.")] = 0.5
    vertical_flip: Annotated[Probability, Field(description="Probability of mirroring top and bottom.")] = 0.0
    crop_area: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Smallest share of the picture's area that a random crop keeps; 1 keeps the whole picture.",
        ),
    ] = 1.0
    rand_augment: Annotated[
        RandAugment | None, Field(description="Random operations on each picture; none without it.")
    ] = None


class Resize(StrEnum):
    """How a picture becomes a square."""

    CROP = "crop"
    PAD = "pad"
    STRETCH = "stretch"
