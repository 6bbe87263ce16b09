"""What only face identification knows: whom it learns to tell apart, how, and on whom it is tried out.

A face is that of any individual, human or not.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from modelyard_api.base import ApiModel, Rule
from modelyard_api.pictures import PictureAugment, Resize


class HeadName(StrEnum):
    """What the loss makes of an embedding."""

    ARCFACE = "arcface"
    COSFACE = "cosface"
    LINEAR = "linear"


DEFAULT_SCALE = 64.0
"""Of ArcFace (Deng et al., arXiv:1801.07698) and of CosFace (Wang et al., arXiv:1801.09414)."""
DEFAULT_MARGINS = {HeadName.ARCFACE: 0.5, HeadName.COSFACE: 0.35}
"""As in the same papers: an angle in radians, and a cosine."""


class HeldOutIdentities(ApiModel):
    """Identities that training never sees."""

    rules: ClassVar = (
        Rule(
            "has(self.share) != has(self.count)",
            "must say how many identities: either share or count",
            holds=lambda held_out: (held_out.share is None) != (held_out.count is None),
        ),
    )

    share: Annotated[
        float | None, Field(gt=0, lt=1, description="Share of the identities, such as 0.1; at least two of them.")
    ] = None
    count: Annotated[int | None, Field(ge=2, le=100_000, description="Number of identities.")] = None


def _of_margins(field: str, read: Callable[[FaceId], float | None]) -> Rule:
    def holds(block: FaceId) -> bool:
        return block.head is not HeadName.LINEAR or read(block) is None

    return Rule(
        f"self.head != 'linear' || !has(self.{field})",
        "is for arcface and cosface only; leave it out",
        path=f".{field}",
        holds=holds,
    )


class FaceId(ApiModel):
    """Face identification: a timm backbone that gives embeddings, learned by telling identities apart."""

    rules: ClassVar = (
        _of_margins("scale", lambda block: block.scale),
        _of_margins("margin", lambda block: block.margin),
    )

    head: Annotated[
        HeadName,
        Field(
            description="What the loss makes of an embedding: arcface (a margin in the angle to one's own identity), "
            "cosface (a margin in its cosine) or linear (none). It is trained with the backbone and not deployed."
        ),
    ] = HeadName.ARCFACE
    scale: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            description=f"What cosines are multiplied with, for arcface and cosface; {DEFAULT_SCALE:g} without it, "
            "as in their papers. Few identities want less, such as 16 to 32.",
        ),
    ] = None
    margin: Annotated[
        float | None,
        Field(
            ge=0,
            le=1.5,
            description="Margin: for arcface an angle in radians "
            f"({DEFAULT_MARGINS[HeadName.ARCFACE]:g} without it), for cosface a cosine "
            f"({DEFAULT_MARGINS[HeadName.COSFACE]:g} without it), as in their papers.",
        ),
    ] = None
    embedding_size: Annotated[int, Field(ge=2, le=8192, description="Width of an embedding.")] = 512
    min_images_per_identity: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Identities with fewer pictures are left out, such as 10 for a subset min10.",
        ),
    ] = 1
    num_classes: Annotated[
        int | None,
        Field(
            ge=2,
            le=1_000_000,
            description="How many identities with at least minImagesPerIdentity pictures there are, held out ones "
            "among them; another number ends the run before it trains. Not checked without it.",
        ),
    ] = None
    held_out_identities: Annotated[
        HeldOutIdentities | None,
        Field(
            description="Identities that training never sees, chosen by the seed and their names. How well pairs of "
            "their pictures are told apart is measured at the end; nothing is without it."
        ),
    ] = None
    resize: Annotated[
        Resize,
        Field(
            description="How a picture becomes a square of imageSize: crop (its shorter side is scaled to that, and "
            "the middle is kept), pad (its longer side is, and the rest is black) or stretch."
        ),
    ] = Resize.CROP
    augment: Annotated[PictureAugment, Field(description="How training pictures are varied.")] = PictureAugment()
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="Probability that a feature of the backbone is left out in training.")
    ] = 0.0

    @property
    def logit_scale(self) -> float:
        """The scale, the default where none is given."""
        return DEFAULT_SCALE if self.scale is None else self.scale

    @property
    def logit_margin(self) -> float:
        """The margin, the head's default where none is given."""
        return DEFAULT_MARGINS.get(self.head, 0.0) if self.margin is None else self.margin
