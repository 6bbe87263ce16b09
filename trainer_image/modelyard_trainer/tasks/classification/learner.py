"""The loss of a classifier and its metrics. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from modelyard_api.classification import Balance, Classification
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.imaging.pictures import PlainPictures, as_input, collate
from modelyard_trainer.imaging.squares import Squares
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.tasks.classification.scores import Scores

Batch = tuple[Tensor, Tensor]
"""(n, 3, side, side) bytes and (n,) numbers of the pictures."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a classifier made of some pictures."""

    scores: Scores
    loss: float
    mean_angular_error: float | None
    """Degrees; None where classes are no angles."""

    def metrics(self) -> dict[str, float]:
        """By the names that people know them by."""
        angular = {} if self.mean_angular_error is None else {"meanAngularError": self.mean_angular_error}
        return {"macroF1": self.scores.macro_f1, "accuracy": self.scores.accuracy, **angular, "loss": self.loss}


class Examiner:
    """Looks what a classifier makes of pictures.

    Args:
        pictures: with their true classes.
        squares: of them, in their order.
        classes: how many there are.
        batch_size: pictures at once.
        workers: processes that load pictures.
        device: where the model is.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        squares: Squares,
        *,
        classes: int,
        batch_size: int,
        workers: int,
        device: torch.device,
    ) -> None:
        self._classes, self._device = classes, device
        self._labels = labels_of(pictures).to(device)
        angles = [picture.angle for picture in pictures if picture.angle is not None]
        self._angles = (
            torch.tensor(angles, dtype=torch.float64, device=device) if len(angles) == len(pictures) else None
        )
        self._loader = EpochLoader(
            PlainPictures(squares), batch_size, workers, collate=collate, pin_memory=device.type == "cuda"
        )

    @torch.no_grad()
    def examine(self, model: Callable[[Tensor], Tensor], heed: Callable[[], None] = lambda: None) -> Found:
        """The scores of a model that is in evaluation mode; `heed` is called before each batch."""
        count = self._classes
        confusion = torch.zeros(count * count, dtype=torch.int64, device=self._device)
        loss, angular = (torch.zeros((), dtype=torch.float64, device=self._device) for _ in range(2))
        for batch, numbers in self._loader.epoch(0):
            heed()
            places = numbers.to(self._device, non_blocking=True)
            labels = self._labels[places]
            logits = model(as_input(batch, self._device)).float()
            predicted = logits.argmax(1)
            confusion += torch.bincount(labels * count + predicted, minlength=count * count)
            loss += cross_entropy(logits, labels, reduction="sum").double()
            if self._angles is not None:
                angular += _circular(self._middle(predicted) - self._angles[places]).abs().sum()
        pictures = len(self._labels)
        return Found(
            Scores(confusion.view(count, count).cpu().numpy()),
            float(loss) / pictures,
            None if self._angles is None else float(angular) / pictures,
        )

    def close(self) -> None:
        """End the loader's processes."""
        self._loader.close()

    def _middle(self, predicted: Tensor) -> Tensor:
        """The middle of each predicted bin, in degrees."""
        return (predicted.double() + 0.5) * (360 / self._classes)


class ClassificationLearner:
    """Cross-entropy as asked, and the metrics of the validation pictures.

    Args:
        block: label smoothing, mixup, balance.
        pictures: to train on.
        classes: how many there are.
        validation: looks at the validation pictures.
        device: where the model is.
    """

    def __init__(
        self,
        block: Classification,
        pictures: Sequence[Picture],
        classes: int,
        validation: Examiner,
        device: torch.device,
    ) -> None:
        self._device, self._validation = device, validation
        self._smoothing, self._mixup = block.label_smoothing, block.augment.mixup
        labels = labels_of(pictures)
        self._labels = labels.to(device)
        self._weights = class_weights(labels, classes).to(device) if block.balance is Balance.LOSS else None

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss of a batch."""
        images, labels = as_input(batch[0], self._device), self._labels[batch[1].to(self._device, non_blocking=True)]
        if not self._mixup:
            logits = model(images).float()
            loss = self._cross_entropy(logits, labels)
            return loss, {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}
        share = float(np.random.beta(self._mixup, self._mixup))
        others = torch.randperm(len(images)).to(self._device, non_blocking=True)
        logits = model(torch.lerp(images[others], images, share)).float()
        loss = share * self._cross_entropy(logits, labels) + (1 - share) * self._cross_entropy(logits, labels[others])
        return loss, {"loss": loss}

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        """Metrics of the validation pictures."""
        metrics = self._validation.examine(model, heed).metrics()
        loss = metrics.pop("loss")
        return {**metrics, "val/loss": loss}

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        # With weights, the mean over pictures: torch's own would be over weights, other ones in each batch.
        return cross_entropy(
            logits, labels, weight=self._weights, label_smoothing=self._smoothing, reduction="none"
        ).mean()


def labels_of(pictures: Sequence[Picture]) -> Tensor:
    """(n,) classes."""
    return torch.tensor([int(picture.objects.classes[0]) for picture in pictures])


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """(classes,) weights inverse to how many pictures each class has; their mean over the pictures is 1."""
    counts = torch.bincount(labels, minlength=classes)
    weights = len(labels) / (counts.clamp(min=1) * int((counts > 0).sum()))
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def _circular(degrees: Tensor) -> Tensor:
    """An angle between -180 and 180 degrees."""
    return torch.remainder(degrees + 180, 360) - 180
