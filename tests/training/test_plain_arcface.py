"""Our ArcFace has the loss of one in plain PyTorch, with the margin as insightface writes it, and so does its training.

From the same weights, on the same pictures in the same order, a plain loop has the losses and the validation metric of
ours epoch after epoch. In 64 bits: in 32 a difference in the last bit is some per cent of the loss after ten steps, and
a comparison of the two over seeds sees that as chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from modelyard_api.face_id import FaceId
from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.embeddings import extract
from modelyard_trainer.loop.drawing import Purpose, draw_from, permutation
from modelyard_trainer.tasks.face_id import learner
from modelyard_trainer.tasks.face_id.network import build
from modelyard_trainer.tasks.face_id.task import FaceIdTask
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from examples.digits.make_folders import make
from tests.training.resuming import checked
from tests.training.trainings import Shelf, train
from tests.unit.trainer.datasets import run_document

CLASSES, SCALE, MARGIN, WIDTH, SEED = 10, 16.0, 0.5, 32, 5
BLOCK = {"scale": SCALE, "margin": MARGIN, "embeddingSize": WIDTH}
EPOCHS, WARM, BATCH, RATE, DECAY, LAST = 3, 1, 26, 3e-3, 0.1, 0.01


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
    ours = build("test_resnet", FaceId.model_validate(BLOCK), CLASSES, 32).eval()
    images, labels = torch.rand(16, 3, 32, 32), torch.arange(16) % CLASSES
    with torch.no_grad():
        harder, _ = ours(images, labels)
        assert float(cross_entropy(harder, labels)) == pytest.approx(float(plain.loss(images, labels)), rel=1e-6)


@pytest.fixture
def in_64_bits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is made of 32 bits, pictures and embeddings too, has 64."""

    def as_input(pictures: Tensor, _device: torch.device) -> Tensor:
        return pictures.double() / 255

    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    for module in (learner, extract):
        monkeypatch.setattr(module, "as_input", as_input)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("one_cpu_and_every_batch_counts", "in_64_bits")
def test_a_whole_training_has_the_very_losses(tmp_path: Path) -> None:
    make(tmp_path / "digits", images=160, size=32)
    document = run_document(
        task="face-id",
        dataset={"path": str(tmp_path / "digits"), "format": "image-folder"},
        model={"architecture": "test_resnet"},
        training={
            "epochs": EPOCHS,
            "batchSize": BATCH,
            "imageSize": 32,
            "optimizer": {"name": "AdamW", "learningRate": RATE, "weightDecay": DECAY},
            "schedule": {"name": "cosine", "warmupEpochs": WARM, "finalFraction": LAST},
            "seed": SEED,
        },
        faceId={**BLOCK, "augment": {"horizontalFlip": 0}},
    ).model_copy(update={"batch_size": BATCH})
    data = checked(FaceIdTask, document, tmp_path / "checked")
    ours = train(document, data, tmp_path / "run", Shelf(), task=FaceIdTask, cpus=1).epochs
    plain = plainly(data.training, data.validation)
    assert [metrics["train/loss"] for _, metrics in ours] == pytest.approx([loss for loss, _ in plain], rel=1e-9)
    assert [metrics["top1"] for _, metrics in ours] == pytest.approx([top1 for _, top1 in plain])


def plainly(training: Sequence[Picture], validation: Sequence[Picture]) -> list[tuple[float, float]]:
    """Mean loss and validation accuracy of each epoch of a loop as people write it."""
    draw_from(SEED, Purpose.WEIGHTS, 0, 0)
    model = Plain(CLASSES)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [each for each in parameters if each.ndim > 1], "weight_decay": DECAY},
            {"params": [each for each in parameters if each.ndim == 1], "weight_decay": 0.0},
        ]
    )
    (images, labels), (unseen, truth) = tensors(training), tensors(validation)
    found = []
    for epoch in range(EPOCHS):
        model.train()
        order, losses = torch.from_numpy(permutation(SEED, epoch, len(labels))), []
        for begin in range(0, len(order), BATCH):
            batch = order[begin : begin + BATCH]
            done = epoch + (begin + len(batch)) / len(order)
            falls = (1 + math.cos(math.pi * (done - WARM) / (EPOCHS - WARM))) / 2
            for group in optimizer.param_groups:
                group["lr"] = RATE * (done / WARM if done < WARM else LAST + (1 - LAST) * falls)
            optimizer.zero_grad()
            loss = model.loss(images[batch], labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += [loss.item()] * len(batch)
        model.eval()
        with torch.no_grad():
            right = model.cosines(unseen).argmax(1) == truth
        found.append((float(np.mean(losses)), float(right.float().mean())))
    return found


def tensors(pictures: Sequence[Picture]) -> tuple[Tensor, Tensor]:
    """Pictures from their files, between 0 and 1, and their classes."""
    planes = [np.asarray(Image.open(each.path).convert("RGB")).transpose(2, 0, 1) for each in pictures]
    return torch.from_numpy(np.stack(planes)).float() / 255, torch.tensor(
        [each.objects.classes[0] for each in pictures]
    )
