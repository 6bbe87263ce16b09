"""ArcFace as people write it in plain PyTorch after insightface: timm's backbone, torchvision's transforms, a loop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import timm
import torch
from modelyard_api.face_id import HeadName
from modelyard_api.run_document import RunDocument
from modelyard_trainer.dataset.model import CheckedDataset
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize
from torch.utils.data import DataLoader
from torchvision import transforms

from bench.training.measured import Stopwatch
from bench.training.pictures import Pictures
from bench.training.rates import warm_cosine


class ArcFace(nn.Module):
    """The margin by way of the angle itself."""

    def __init__(self, architecture: str, width: int, classes: int, scale: float, margin: float) -> None:
        super().__init__()
        self._scale, self._margin = scale, margin
        backbone: Any = timm.create_model(architecture, pretrained=False, num_classes=0)
        config = timm.get_pretrained_cfg(architecture)
        assert config is not None  # noqa: S101 - timm's own architectures have one
        self._normalise = transforms.Normalize(config.mean, config.std)
        fc = nn.Linear(backbone.num_features, width, bias=False)
        self.embed = nn.Sequential(backbone, fc, nn.BatchNorm1d(width))
        self._weight = nn.Parameter(torch.empty(classes, width).normal_(std=0.01))

    def forward(self, images: Tensor) -> Tensor:
        """Cosines."""
        embeddings = self.embed(self._normalise(images))
        return linear(normalize(embeddings), normalize(self._weight)).clamp(-1 + 1e-7, 1 - 1e-7)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy with the margin."""
        cosines = self(images)
        own = cosines[torch.arange(len(labels)), labels]
        wider = torch.acos(own) + self._margin
        harder = torch.where(wider <= math.pi, wider.cos(), own - math.sin(math.pi - self._margin) * self._margin)
        return cross_entropy(self._scale * cosines.scatter(1, labels[:, None], harder[:, None]), labels)


def train(document: RunDocument, data: CheckedDataset, watch: Stopwatch, scratch: Path, threads: int) -> None:
    """Train as the run asks, on batches and crops of torch's own drawing.

    Args:
        document: the run, with ArcFace for a head, crops and flips.
        data: its data set.
        watch: told of batches and epochs.
        scratch: where the weights of the embedding are written, each epoch's over the last's, as insightface does.
        threads: of the CPU.
    """
    spec, training, block = document.spec, document.spec.training, document.spec.face_id
    assert block is not None and block.head is HeadName.ARCFACE  # noqa: S101 - the example's
    torch.set_num_threads(threads)
    torch.manual_seed(training.seed)
    model = ArcFace(
        spec.model.architecture, block.embedding_size, len(data.classes), block.logit_scale, block.logit_margin
    )
    asked, side = training.optimizer, training.image_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=asked.learning_rate, weight_decay=asked.weight_decay)
    varied = transforms.Compose(
        [
            transforms.RandomResizedCrop(side, scale=(block.augment.crop_area, 1)),
            transforms.RandomHorizontalFlip(block.augment.horizontal_flip),
            transforms.ToTensor(),
        ]
    )
    plain = transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor()])
    # As insightface's: the few pictures behind the last whole batch would be noise to batch normalisation.
    loader = DataLoader(Pictures(data.training, varied), document.batch_size, shuffle=True, drop_last=True)
    validation = DataLoader(Pictures(data.validation, plain), document.batch_size)
    steps = len(loader)
    schedule = warm_cosine(
        optimizer,
        steps=training.epochs * steps,
        warm=training.schedule.warmup_epochs * steps,
        last=training.schedule.final_fraction,
    )
    for _ in range(training.epochs):
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = model.loss(images, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            watch.batch_done()
        top1 = _top1(model, validation)
        torch.save(model.embed.state_dict(), scratch / "model.pt")
        watch.epoch_done({"top1": top1})


@torch.no_grad()
def _top1(model: nn.Module, validation: DataLoader[tuple[Tensor, int]]) -> float:
    model.eval()
    right = torch.cat([model(images).argmax(1) == labels for images, labels in validation])
    return float(right.float().mean())
