"""What is trained: an embedding network, and a head that is thrown away. Imports torch."""

from __future__ import annotations

from modelyard_api.face_id import FaceId
from torch import Tensor, nn

from modelyard_trainer.embeddings.network import Embedder, Neck
from modelyard_trainer.tasks.classification.architecture import backbone
from modelyard_trainer.tasks.face_id.heads import Logits, build_head


class Identifier(nn.Module):
    """Tells known identities apart.

    Args:
        embedder: what is deployed.
        head: takes features and classes, gives logits.
    """

    def __init__(self, embedder: Embedder, head: nn.Module) -> None:
        super().__init__()
        self.embedder, self.head = embedder, head

    def forward(self, images: Tensor, labels: Tensor) -> Logits:
        """Of pictures between 0 and 1, (n, 3, side, side), and their (n,) classes."""
        logits: Logits = self.head(self.embedder.features(images), labels)
        return logits


def build(architecture: str, block: FaceId, classes: int, image_size: int) -> Identifier:
    """The network at a random start, from torch's generator.

    Raises:
        RunError: SpecInvalid; it cannot be built for pictures of that size.
    """
    built = backbone(architecture, 0, image_size)
    neck = Neck(built.width, block.embedding_size, block.dropout)
    return Identifier(Embedder(built.network, neck, built.mean, built.std), build_head(block, classes))
