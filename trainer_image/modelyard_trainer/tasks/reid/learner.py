"""The losses of a re-identification and its metrics. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from modelyard_api.reid import ReidLoss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from modelyard_trainer.dataset.reid import Seen
from modelyard_trainer.imaging.pictures import as_input
from modelyard_trainer.loop.ranks import ALONE, Ranks
from modelyard_trainer.tasks.reid.finder import Finder
from modelyard_trainer.tasks.reid.losses import batch_hard_triplet
from modelyard_trainer.tasks.reid.ranking import averaged

Batch = tuple[Tensor, Tensor]
"""(n, 3, height, width) bytes and (n,) numbers of the pictures."""


class ReidLearner:
    """Triplets and softmax as asked, and the metrics of the targets.

    Args:
        asked: the losses.
        seen: the training pictures and whom they show.
        finders: of the targets.
        device: where the model is.
        ranks: who share each batch: triplets are looked for in all of it.
    """

    def __init__(
        self, asked: ReidLoss, seen: Seen, finders: Sequence[Finder], device: torch.device, ranks: Ranks = ALONE
    ) -> None:
        self._asked, self._finders, self._device, self._ranks = asked, finders, device, ranks
        self._persons = torch.from_numpy(seen.persons).to(device)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss of a batch."""
        images, persons = as_input(batch[0], self._device), self._persons[batch[1].to(self._device, non_blocking=True)]
        logits, features = model(images)
        logits, asked = logits.float(), self._asked
        told = {"accuracy": (logits.argmax(1) == persons).float().mean()}
        parts: list[Tensor] = []
        if asked.weight_t:
            told["triplet"] = self._triplet(features.float(), persons)
            parts.append(asked.weight_t * told["triplet"])
        if asked.weight_x:
            told["softmax"] = cross_entropy(logits, persons, label_smoothing=asked.label_smoothing)
            parts.append(asked.weight_x * told["softmax"])
        elif self._ranks.count > 1:
            parts.append(0.0 * logits.sum())  # ranks wait for the gradient of every parameter
        loss = torch.stack(parts).sum()
        return loss, {"loss": loss, **told}

    def _triplet(self, features: Tensor, persons: Tensor) -> Tensor:
        ranks = self._ranks
        among = (ranks.whole(features), ranks.whole(persons)) if ranks.count > 1 else None
        return batch_hard_triplet(features, persons, self._asked.margin, among)

    def validate(self, model: nn.Module, heed: Callable[[], None]) -> dict[str, float]:
        """Metrics of the targets."""
        return averaged({finder.target.name: finder.measure(model, heed) for finder in self._finders})
