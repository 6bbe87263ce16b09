"""What only detection knows: ultralytics' loss gains, augmentation and validation, named as its users know them.

Ranges and behaviour are those of ultralytics 8.4 (`cfg/__init__.py`, `data/augment.py`, `models/yolo/detect/`). Left
out is what a detection training takes no notice of there, such as `auto_augment`, `erasing` and `dropout`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from modelyard_api.base import ApiModel, Rule

Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class DetectionLoss(ApiModel):
    """Weights of the parts of the loss."""

    box: Annotated[float, Field(ge=0, le=1000, description="Weight of the box regression loss (CIoU).")] = 7.5
    cls: Annotated[float, Field(ge=0, le=1000, description="Weight of the classification loss.")] = 0.5
    dfl: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Weight of the distribution focal loss (of the L1 box loss where the architecture has no "
            "distribution, as in yolo26).",
        ),
    ] = 1.5
    cls_pw: Annotated[
        Fraction,
        Field(
            description="Power that the inverse frequencies of the classes are raised to, to weigh the "
            "classification loss: 0 weighs all classes alike, 1 by their full inverse frequency."
        ),
    ] = 0.0


class CopyPasteMode(StrEnum):
    """Where pasted objects come from."""

    FLIP = "flip"
    MIXUP = "mixup"


class DetectionAugment(ApiModel):
    """How training pictures are varied. Every value is a largest change in either direction, or a probability."""

    hsv_h: Annotated[Fraction, Field(description="Largest change of hue, as a fraction of the colour circle.")] = 0.015
    hsv_s: Annotated[Fraction, Field(description="Largest change of saturation, as a fraction of it.")] = 0.7
    hsv_v: Annotated[Fraction, Field(description="Largest change of brightness, as a fraction of it.")] = 0.4
    degrees: Annotated[float, Field(ge=0, le=180, description="Largest rotation, in degrees.")] = 0.0
    translate: Annotated[Fraction, Field(description="Largest shift, as a fraction of the image size.")] = 0.1
    scale: Annotated[Fraction, Field(description="Largest change of scale: 0.5 draws factors from 0.5 to 1.5.")] = 0.5
    shear: Annotated[float, Field(ge=0, lt=90, description="Largest shear, in degrees.")] = 0.0
    perspective: Annotated[
        float,
        Field(ge=0, le=0.001, description="Largest perspective distortion, as a fraction for each pixel."),
    ] = 0.0
    flipud: Annotated[Probability, Field(description="Probability of a vertical flip.")] = 0.0
    fliplr: Annotated[Probability, Field(description="Probability of a horizontal flip.")] = 0.5
    bgr: Annotated[Probability, Field(description="Probability of swapping the red and blue channels.")] = 0.0
    mosaic: Annotated[Probability, Field(description="Probability of joining four pictures into one.")] = 1.0
    close_mosaic: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="How many of the last epochs do without mosaic, mixup, cutmix and copyPaste: 0 keeps "
            "them to the end, and as many as there are epochs leaves them out altogether.",
        ),
    ] = 10
    mixup: Annotated[Probability, Field(description="Probability of blending two pictures.")] = 0.0
    cutmix: Annotated[
        Probability, Field(description="Probability of replacing a rectangle by one of another picture.")
    ] = 0.0
    copy_paste: Annotated[
        Fraction,
        Field(
            description="Share of a picture's objects that are pasted into it once more. Needs outlines: labels"
            " as polygons (yolo) or with a segmentation (coco)."
        ),
    ] = 0.0
    copy_paste_mode: Annotated[
        CopyPasteMode,
        Field(
            description="What copyPaste pastes: objects of the same picture, mirrored (flip), or of another "
            "picture (mixup)."
        ),
    ] = CopyPasteMode.FLIP
    multi_scale: Annotated[
        Fraction,
        Field(
            description="Largest change of the side of a whole batch, as a fraction of imageSize: 0.5 draws "
            "sides from half to one and a half of it, in multiples of the architecture's stride."
        ),
    ] = 0.0


class DetectionValidation(ApiModel):
    """How predictions are counted when the model is validated. The training itself is not touched by it."""

    conf: Annotated[Fraction, Field(description="Smallest score of a prediction that is counted.")] = 0.001
    iou: Annotated[
        Fraction,
        Field(description="Overlap (IoU) above which non-maximum suppression drops the lower of two predictions."),
    ] = 0.7
    max_det: Annotated[int, Field(ge=1, le=10_000, description="Most predictions counted in one picture.")] = 300
    agnostic_nms: Annotated[
        bool, Field(description="Let predictions of different classes suppress each other too.")
    ] = False


class Detection(ApiModel):
    """Detection of objects with ultralytics' YOLO family."""

    rules: ClassVar = (
        Rule(
            "!self.rect || (self.augment.mosaic == 0.0 && self.augment.mixup == 0.0 && self.augment.cutmix == 0.0)",
            "needs augment.mosaic, augment.mixup and augment.cutmix to be 0, since it joins no pictures",
            path=".rect",
            holds=lambda detection: (
                not detection.rect
                or detection.augment.mosaic == detection.augment.mixup == detection.augment.cutmix == 0
            ),
        ),
    )

    loss: Annotated[DetectionLoss, Field(description="Weights of the parts of the loss.")] = DetectionLoss()
    augment: Annotated[DetectionAugment, Field(description="How training pictures are varied.")] = DetectionAugment()
    validation: Annotated[
        DetectionValidation, Field(description="How predictions are counted when the model is validated.")
    ] = DetectionValidation()
    single_class: Annotated[bool, Field(description="Treat all classes as one.")] = False
    rect: Annotated[
        bool,
        Field(
            description="Group training pictures by shape and pad them to rectangles instead of squares. Their "
            "order is then the same in every epoch."
        ),
    ] = False
