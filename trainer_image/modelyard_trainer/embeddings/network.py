"""A network that gives embeddings. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from modelyard_trainer.tasks.network import Normalising


class Embedder(Normalising):
    """A backbone behind its normalisation, and a neck that gives its features their width.

    Training looks at `features`; calling it, as its exported files are called, gives unit vectors, so that the scalar
    product of two embeddings is their cosine.

    Args:
        backbone: takes normalised pictures (n, 3, height, width) and gives features (n, any).
        neck: takes these and gives (n, width); nn.Identity() where the features are the embedding.
        mean, std: of each channel.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(mean, std)
        self.backbone, self.neck = backbone, neck

    def features(self, images: Tensor) -> Tensor:
        """(n, width), of any length."""
        features: Tensor = self.neck(self.backbone(self.normalised(images)))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """(n, width), each of length 1; 32-bit floats."""
        return normalize(self.features(images).float())


class Neck(nn.Sequential):
    """Dropout, a linear layer and batch normalisation, as ends ArcFace's networks (option E of arXiv:1801.07698, 3.1).

    Args:
        features: width of what comes in.
        width: of the embedding.
        dropout: of what comes in, in training.
    """

    def __init__(self, features: int, width: int, dropout: float = 0.0) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(features, width, bias=False), nn.BatchNorm1d(width))
