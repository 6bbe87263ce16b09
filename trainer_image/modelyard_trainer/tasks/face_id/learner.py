"""The loss of an identifier and its metrics. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.embeddings.extract import Extractor
from modelyard_trainer.imaging.pictures import as_input
from modelyard_trainer.imaging.squares import Squares
from modelyard_trainer.tasks.classification.learner import Batch, labels_of
from modelyard_trainer.tasks.classification.scores import Scores
from modelyard_trainer.tasks.face_id.network import Identifier
from modelyard_trainer.tasks.face_id.scores import hits

_AT_ONCE = 1024
"""Pictures whose logits are there at once: with a hundred thousand identities they are 400 MB."""


@dataclass(frozen=True, eq=False)
class Found:
    """What an identifier made of some pictures of known identities."""

    top1: float
    top5: float
    loss: float
    """With the margin, as in training."""
    predicted: Tensor
    """(n,)"""
    labels: Tensor
    """(n,)"""

    def metrics(self) -> dict[str, float]:
        """By the names that people know them by."""
        return {"top1": self.top1, "top5": self.top5, "loss": self.loss}

    def scores(self, classes: int) -> Scores:
        """How identities are taken for each other."""
        confusion = torch.bincount(self.labels * classes + self.predicted, minlength=classes * classes)
        return Scores(confusion.view(classes, classes).cpu().numpy())


class Examiner:
    """Looks what an identifier makes of pictures of known identities.

    Args:
        pictures: with their true classes.
        squares: of them, in their order.
        batch_size: pictures at once.
        workers: processes that load pictures.
        device: where the model is.
    """

    def __init__(
        self, pictures: Sequence[Picture], squares: Squares, *, batch_size: int, workers: int, device: torch.device
    ) -> None:
        self._labels = labels_of(pictures).to(device)
        self._extractor = Extractor(squares, batch_size=batch_size, workers=workers, device=device)

    @torch.no_grad()
    def examine(
        self,
        model: Identifier,
        heed: Callable[[], None] = lambda: None,
        embed: Callable[[Tensor], Tensor] | None = None,
    ) -> Found:
        """The metrics of a model that is in evaluation mode.

        Args:
            model: whose head tells identities.
            heed: is called before each batch.
            embed: makes of pictures what the head is given; the model's own features without it.
        """
        features = self._extractor.embed(embed or model.embedder.features, heed)
        loss, first, among = (torch.zeros((), dtype=torch.float64, device=features.device) for _ in range(3))
        predicted = []
        for some, labels in zip(torch.split(features, _AT_ONCE), torch.split(self._labels, _AT_ONCE), strict=True):
            harder, plain = model.head(some, labels)
            loss += cross_entropy(harder, labels, reduction="sum").double()
            right, near = hits(plain, labels)
            first, among = first + right.sum(), among + near.sum()
            predicted.append(plain.argmax(1))
        pictures = len(self._labels)
        return Found(
            float(first) / pictures, float(among) / pictures, float(loss) / pictures, torch.cat(predicted), self._labels
        )

    def close(self) -> None:
        """End the loader's processes."""
        self._extractor.close()


class FaceIdLearner:
    """Cross-entropy of the head's logits, and the metrics of the validation pictures.

    Args:
        pictures: to train on.
        validation: looks at the validation pictures.
        device: where the model is.
    """

    def __init__(self, pictures: Sequence[Picture], validation: Examiner, device: torch.device) -> None:
        self._labels, self._validation, self._device = labels_of(pictures).to(device), validation, device

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss of a batch."""
        images, labels = as_input(batch[0], self._device), self._labels[batch[1].to(self._device, non_blocking=True)]
        harder, plain = model(images, labels)
        loss = cross_entropy(harder, labels)
        first, among = hits(plain.detach(), labels)
        return loss, {"loss": loss, "top1": first.float().mean(), "top5": among.float().mean()}

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        """Metrics of the validation pictures."""
        assert isinstance(model, Identifier)  # noqa: S101 - the recipe's
        metrics = self._validation.examine(model, heed).metrics()
        loss = metrics.pop("loss")
        return {**metrics, "val/loss": loss}
