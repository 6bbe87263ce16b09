"""What is trained: a backbone behind its normalisation. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from modelyard_trainer.loop.freezing import Stages
from modelyard_trainer.tasks.network import Normalising

_PREFIX = "backbone."


class Classifier(Normalising):
    """A network that gives logits.

    Args:
        backbone: takes normalised pictures (n, 3, height, width) and gives logits (n, classes).
        mean, std: of each channel.
    """

    def __init__(self, backbone: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(mean, std)
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.backbone(self.normalised(images))
        return logits


class Projected(nn.Module):
    """A backbone that projects to an embedding, and a linear layer on that.

    Args:
        visual: gives (n, width).
        width: of the embedding.
        classes: of the output.
        dropout: of the embedding, in training.
    """

    def __init__(self, visual: nn.Module, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.visual = visual
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.dropout(self.visual(images)))
        return logits


def stages_of(model: Classifier) -> Stages:
    """The stages of a classifier's backbone, by the names of its parameters in the classifier."""
    from modelyard_trainer.tasks.timm_stages import all_stages, timm_stages  # noqa: PLC0415 - imports timm, seconds

    if isinstance(model.backbone, Projected):
        return all_stages(model.backbone.visual, f"{_PREFIX}visual.")
    return timm_stages(model.backbone, _PREFIX)


def backbone_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A classifier's weights by the names that timm's own model has."""
    return {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
