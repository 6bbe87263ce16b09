"""Our ArcFace has the loss of one in plain PyTorch, with the margin as insightface writes it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from modelyard_api.face_id import FaceId
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.tasks.face_id.network import build
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

CLASSES, SCALE, MARGIN, WIDTH, SEED = 10, 16.0, 0.5, 32, 5


class Plain(nn.Module):
    """timm's network, a linear layer with batch normalisation, and a vector for each identity."""

    def __init__(self, classes: int) -> None:
        import timm  # noqa: PLC0415 - seconds

        super().__init__()
        backbone: Any = timm.create_model("test_resnet", num_classes=0)
        self.backbone: nn.Module = backbone
        self.fc = nn.Linear(int(backbone.num_features), WIDTH, bias=False)
        self.bn = nn.BatchNorm1d(WIDTH)
        self.weight = nn.Parameter(torch.empty(classes, WIDTH).normal_(std=0.01))
        config = timm.get_pretrained_cfg("test_resnet")
        assert config is not None
        self.mean, self.std = (torch.tensor(each).view(1, 3, 1, 1) for each in (config.mean, config.std))

    def cosines(self, images: Tensor) -> Tensor:
        embeddings = self.bn(self.fc(self.backbone((images - self.mean) / self.std)))
        return linear(normalize(embeddings), normalize(self.weight)).clamp(-1, 1)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(images)
        rows = torch.arange(len(labels))
        own = cosines[rows, labels]
        wider = torch.acos(own) + MARGIN
        harder = torch.where(wider <= math.pi, wider.cos(), own - math.sin(math.pi - MARGIN) * MARGIN)
        logits = cosines.clone()
        logits[rows, labels] = harder
        return cross_entropy(SCALE * logits, labels)


def test_a_single_step_has_the_very_loss() -> None:
    draw_from(SEED, Purpose.WEIGHTS, 0, 0)
    plain = Plain(CLASSES).eval()
    draw_from(SEED, Purpose.WEIGHTS, 0, 0)
    block = FaceId.model_validate({"scale": SCALE, "margin": MARGIN, "embeddingSize": WIDTH})
    ours = build("test_resnet", block, CLASSES, 32).eval()
    images, labels = torch.rand(16, 3, 32, 32), torch.arange(16) % CLASSES
    with torch.no_grad():
        harder, _ = ours(images, labels)
        assert float(cross_entropy(harder, labels)) == pytest.approx(float(plain.loss(images, labels)), rel=1e-6)
