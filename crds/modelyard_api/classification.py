"""What only classification knows: where labels come from, how pictures are varied, and what the best epoch is.

Names are those that users of timm and torchvision know. Left out is what nothing honours yet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from modelyard_api.base import ApiModel, Atomic, Matches, Rule
from modelyard_api.pictures import PictureAugment, Resize

PathBelow = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    Matches("must be a path below the data set's folder, such as metadata/metadata.json", (r"^[^/\n][^\n]*$",)),
]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class LabelException(ApiModel):
    """One exception from where labels come from."""

    field: Annotated[FieldName, Field(description="Field of the row that is looked at.")]
    equals: Annotated[str, StringConstraints(max_length=128), Field(description="Value, as text, that it is for.")]
    label: Annotated[Label, Field(description="Label of rows whose field has that value.")]


class WholeNumbers(ApiModel):
    """Whole numbers, each of which is a class, whether the data set has pictures of it or not."""

    rules: ClassVar = (
        Rule(
            "self.first < self.last && self.last - self.first < 10000",
            "must have `first` below `last`, and at most 10000 numbers",
            holds=lambda numbers: 0 < numbers.last - numbers.first < 10_000,
        ),
    )

    first: Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="First of them: class 0.")]
    last: Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="Last of them.")]


class TableLabel(ApiModel):
    """How the label of a picture is made of its row."""

    rules: ClassVar = (
        Rule(
            "!has(self.binDegrees) || 360 % self.binDegrees == 0",
            "must divide 360, such as 3 for 120 classes",
            path=".binDegrees",
            holds=lambda label: label.bin_degrees is None or 360 % label.bin_degrees == 0,
        ),
        Rule(
            "!has(self.binDegrees) || (!has(self.numbers) && self.exceptions.size() == 0 && !has(self.missing))",
            "makes classes of angles by itself; leave out numbers, exceptions and missing",
            path=".binDegrees",
            holds=lambda label: (
                label.bin_degrees is None or (label.numbers is None and not label.exceptions and label.missing is None)
            ),
        ),
        Rule(
            "!has(self.numbers) || (self.exceptions.size() == 0 && !has(self.missing))",
            "makes classes of whole numbers by itself; leave out exceptions and missing",
            path=".numbers",
            holds=lambda label: label.numbers is None or (not label.exceptions and label.missing is None),
        ),
    )

    field: Annotated[FieldName, Field(description="Field of the row that holds the label, the number or the angle.")]
    exceptions: Annotated[
        list[LabelException],
        Atomic(),
        Field(max_length=64, description="The first of these that fits decides instead of `field`."),
    ] = []
    missing: Annotated[
        Label | None,
        Field(description="Label of rows whose field is empty; without it such a row is an error."),
    ] = None
    numbers: Annotated[
        WholeNumbers | None, Field(description="The field holds whole numbers, and each of this range is a class.")
    ] = None
    bin_degrees: Annotated[
        int | None,
        Field(
            ge=1,
            le=180,
            description="The field holds an angle in degrees, and each so many of the 360 are a class, named after "
            "the angle it begins with. Evaluation then also tells the mean angular error.",
        ),
    ] = None


class RegionOfInterest(ApiModel):
    """The part of each picture that is looked at."""

    file: Annotated[
        PathBelow,
        Field(
            description="JSON file, relative to the data set's folder, of boxes as [left, top, right, bottom] in "
            'pixels, by id and region: {"<id>": {"<region>": [10, 20, 110, 90]}}.'
        ),
    ]
    region: Annotated[Label, Field(description="Which region of a picture, such as date.")]
    padding: Annotated[
        float,
        Field(ge=0, le=1, description="What is added on each side, as a fraction of the box's width and height."),
    ] = 0.05


class MetadataTable(ApiModel):
    """What the fields of a metadata table mean."""

    file: Annotated[
        PathBelow,
        Field(
            description="The table, relative to the data set's folder: CSV with a line of names, or JSON, as a list of "
            "rows or as a map from their ids to rows."
        ),
    ] = "metadata.json"
    id_field: Annotated[
        FieldName, Field(description="Field that tells a row from all others; in a JSON map its key is that, too.")
    ] = "uid"
    picture: Annotated[
        PathBelow,
        Field(description="Path of a row's picture, relative to the data set's folder, with {field} for its fields."),
    ] = "{uid}.jpg"
    label: Annotated[TableLabel, Field(description="How a row's label is made.")]
    filter: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=128)]],
        Atomic(),
        Field(max_length=16, description="Only rows whose fields have these values, as texts, are used."),
    ] = {}
    split_by: Annotated[
        FieldName,
        Field(
            description="Field whose hash with the seed decides on which side a row is: rows with the same value are "
            "on the same side, and stay there when the data set grows."
        ),
    ] = "uid"
    roi: Annotated[RegionOfInterest | None, Field(description="The part of each picture that is looked at.")] = None


class ClassificationAugment(PictureAugment):
    """How training pictures are varied."""

    mixup: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="Alpha of the Beta distribution that weights are drawn from to blend each batch with itself in "
            "another order; 0 blends nothing.",
        ),
    ] = 0.0


class Balance(StrEnum):
    """What is done about classes with few pictures."""

    NONE = "none"
    LOSS = "loss"
    SAMPLING = "sampling"


class ClassificationMetric(StrEnum):
    """What epochs are compared by."""

    MACRO_F1 = "macroF1"
    ACCURACY = "accuracy"


class Classification(ApiModel):
    """Classification of pictures with timm's backbones, from random weights."""

    rules: ClassVar = (
        Rule(
            "!has(self.table) || !has(self.table.label.binDegrees) || (self.augment.horizontalFlip == 0.0 && "
            "self.augment.verticalFlip == 0.0 && !has(self.augment.randAugment))",
            "must set horizontalFlip and verticalFlip to 0 and leave out randAugment, which turns pictures: with "
            "binDegrees their angle would be another one",
            path=".augment",
            holds=lambda block: (
                block.table is None
                or block.table.label.bin_degrees is None
                or (
                    block.augment.horizontal_flip == block.augment.vertical_flip == 0
                    and block.augment.rand_augment is None
                )
            ),
        ),
    )

    table: Annotated[
        MetadataTable | None,
        Field(description="What the metadata table says of each picture; for dataset.format table."),
    ] = None
    classes: Annotated[
        list[Label],
        Atomic(),
        Field(
            max_length=10_000,
            description="The classes in the order of the model's outputs; a label that is none of them is an error. "
            "Without it they are those of the labels, sorted as texts.",
        ),
    ] = []
    test_split: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Share of the pictures set aside to test the best weights on, where the data set has no test "
            "split of its own; chosen as dataset.validationSplit is.",
        ),
    ] = 0.0
    resize: Annotated[
        Resize,
        Field(
            description="How a picture becomes a square of imageSize: crop (its shorter side is scaled to that, and "
            "the middle is kept), pad (its longer side is, and the rest is black) or stretch."
        ),
    ] = Resize.CROP
    augment: Annotated[ClassificationAugment, Field(description="How training pictures are varied.")] = (
        ClassificationAugment()
    )
    balance: Annotated[
        Balance,
        Field(
            description="What is done about classes with few pictures: nothing, weights in the loss that are inverse "
            "to how many there are (loss), or drawing each class as often as any other (sampling)."
        ),
    ] = Balance.NONE
    label_smoothing: Annotated[
        float, Field(ge=0, lt=1, description="Share of each label that is spread over all classes.")
    ] = 0.0
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="Probability that an input of the last layer is left out in training.")
    ] = 0.0
    metric: Annotated[
        ClassificationMetric,
        Field(description="What decides on the best epoch, by the validation pictures; higher is better."),
    ] = ClassificationMetric.MACRO_F1
