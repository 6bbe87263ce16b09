"""What only detection knows: ultralytics' loss gains and augmentation, under the names that its users know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel

Probability = Annotated[float, Field(ge=0, le=1)]


class DetectionLoss(ApiModel):
    """Weights of the parts of the loss."""

    box: Annotated[float, Field(ge=0, le=1000, description="Weight of the box regression loss (CIoU).")] = 7.5
    cls: Annotated[float, Field(ge=0, le=1000, description="Weight of the classification loss.")] = 0.5
    dfl: Annotated[float, Field(ge=0, le=1000, description="Weight of the distribution focal loss.")] = 1.5


class DetectionAugment(ApiModel):
    """How training pictures are varied."""

    hsv_h: Annotated[Probability, Field(description="Largest change of hue, as a fraction of the colour circle.")] = (
        0.015
    )
    hsv_s: Annotated[Probability, Field(description="Largest change of saturation, as a fraction.")] = 0.7
    hsv_v: Annotated[Probability, Field(description="Largest change of brightness, as a fraction.")] = 0.4
    degrees: Annotated[float, Field(ge=0, le=180, description="Largest rotation, in degrees.")] = 0.0
    translate: Annotated[Probability, Field(description="Largest shift, as a fraction of the image size.")] = 0.1
    scale: Annotated[Probability, Field(description="Largest change of scale, as a fraction.")] = 0.5
    shear: Annotated[float, Field(ge=0, le=180, description="Largest shear, in degrees.")] = 0.0
    perspective: Annotated[float, Field(ge=0, le=0.001, description="Largest perspective distortion.")] = 0.0
    flipud: Annotated[Probability, Field(description="Probability of a vertical flip.")] = 0.0
    fliplr: Annotated[Probability, Field(description="Probability of a horizontal flip.")] = 0.5
    bgr: Annotated[Probability, Field(description="Probability of swapping red and blue.")] = 0.0
    mosaic: Annotated[Probability, Field(description="Probability of joining four pictures into one.")] = 1.0
    close_mosaic: Annotated[
        int, Field(ge=0, le=100_000, description="How many of the last epochs do without mosaic.")
    ] = 10
    mixup: Annotated[Probability, Field(description="Probability of blending two pictures.")] = 0.0
    copy_paste: Annotated[
        Probability, Field(description="Probability of pasting objects from another picture (needs masks).")
    ] = 0.0


class Detection(ApiModel):
    """Detection of objects with ultralytics' YOLO family."""

    loss: Annotated[DetectionLoss, Field(description="Weights of the parts of the loss.")] = DetectionLoss()
    augment: Annotated[DetectionAugment, Field(description="How training pictures are varied.")] = DetectionAugment()
    single_class: Annotated[bool, Field(description="Treat all classes as one.")] = False
