"""What is trained: an OSNet behind its normalisation. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from modelyard_trainer.loop.freezing import Stages, children_as_stages
from modelyard_trainer.tasks.network import Normalising

_PREFIX, _HEAD = "backbone.", "classifier"


class Reidentifier(Normalising):
    """A network that takes pictures (n, 3, height, width) between 0 and 1.

    In training it gives logits (n, persons) and features (n, width); otherwise embeddings (n, width) alone.

    Args:
        backbone: an OSNet made with torchreid's loss `triplet`.
        mean, std: of each channel.
        unit: whether embeddings have the length 1.
    """

    def __init__(self, backbone: nn.Module, mean: Sequence[float], std: Sequence[float], *, unit: bool) -> None:
        super().__init__(mean, std)
        self.backbone, self.unit = backbone, unit

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits and features in training, else embeddings as 32-bit floats."""
        if self.training:
            logits, features = self.backbone(self.normalised(images))
            return logits, features
        embeddings: Tensor = self.backbone(self.normalised(images)).float()
        return normalize(embeddings) if self.unit else embeddings


def stages_of(model: Reidentifier) -> Stages:
    """The parts of an OSNet before its classifier, by the names of their parameters."""
    return children_as_stages(model.backbone, head=(_HEAD,), prefix=_PREFIX)


def backbone_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's weights by the names that torchreid's own model has."""
    return {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
