"""Face identification, from the manifest to an ONNX file that tells individuals apart which training never saw."""

from __future__ import annotations

import pytest
import torch
from modelyard_trainer.embeddings.network import Embedder, Neck
from modelyard_trainer.tasks.classification.architecture import COIN_CLIP, backbone


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "vit_tiny_patch16_224", COIN_CLIP])
def test_any_backbone_gives_embeddings_of_the_asked_width(name: str) -> None:
    with torch.device("meta"):  # nothing is computed, only shapes
        built = backbone(name, 0, 64)
        model = Embedder(built.network, Neck(built.width, 32), built.mean, built.std).eval()
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 32)
