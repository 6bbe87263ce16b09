"""The losses of classification and re-identification, against formulas written out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from modelyard_api.classification import Classification
from modelyard_api.face_id import FaceId
from modelyard_api.reid import ReidLoss
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.dataset.reid import Seen
from modelyard_trainer.tasks.classification.learner import ClassificationLearner, Examiner
from modelyard_trainer.tasks.face_id import learner as face_id
from modelyard_trainer.tasks.face_id.heads import build_head
from modelyard_trainer.tasks.reid.learner import ReidLearner
from torch import Tensor, nn

from tests.unit.trainer.reading import Reads

CLASSES = 4
LABELS = [0, 0, 0, 0, 1, 1, 3]
"""Class 2 has no picture."""
ON = torch.device("cpu")


def pictures(labels: Sequence[int]) -> tuple[Picture, ...]:
    box = np.array([[0.5, 0.5, 1, 1]], np.float32)
    return tuple(Picture(str(at), Path(), 4, 4, Objects(np.array([label]), box)) for at, label in enumerate(labels))


class Network(nn.Module):
    """A linear one, which keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.rows = nn.Parameter(torch.randn(CLASSES, 12, generator=torch.Generator().manual_seed(1)))
        self.shown = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        self.shown = images
        return images.flatten(1) @ self.rows.T


def batch() -> tuple[Tensor, Tensor]:
    images = torch.randint(0, 256, (5, 3, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    return images, torch.tensor([6, 1, 4, 5, 0])


def surprise(logits: Tensor, targets: Tensor) -> Tensor:
    """Of each picture: the cross-entropy of a distribution over classes, by its definition."""
    likelihoods = logits.double().exp() / logits.double().exp().sum(1, keepdim=True)
    return -(targets * likelihoods.log()).sum(1)


def one_hot(labels: Sequence[int], smoothing: float = 0.0) -> Tensor:
    hard = torch.eye(CLASSES, dtype=torch.float64)[list(labels)]
    return (1 - smoothing) * hard + smoothing / CLASSES


def learner(**block: Any) -> ClassificationLearner:
    asked = Classification.model_validate(block)
    return ClassificationLearner(asked, pictures(LABELS), CLASSES, cast("Examiner", None), ON)


def of_batch() -> list[int]:
    return [LABELS[number] for number in batch()[1]]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_a_smoothed_label_gives_every_class_its_share(smoothing: float) -> None:
    network = Network()
    loss, told = learner(labelSmoothing=smoothing).loss(network, batch())
    logits = network(batch()[0] / 255)
    assert loss.item() == pytest.approx(surprise(logits, one_hot(of_batch(), smoothing)).mean().item(), rel=1e-5)
    assert told["loss"].item() == loss.item()
    right = [int(best) == label for best, label in zip(logits.argmax(1), of_batch(), strict=True)]
    assert told["accuracy"].item() == pytest.approx(np.mean(right))


def test_balanced_by_the_loss_each_class_counts_as_much_as_another() -> None:
    network = Network()
    loss, _ = learner(balance="loss").loss(network, batch())
    # Seven pictures of three classes: each class weighs a third of seven, whatever it has.
    weights = torch.tensor([7 / 3 / LABELS.count(label) for label in of_batch()], dtype=torch.float64)
    expected = (weights * surprise(network(batch()[0] / 255), one_hot(of_batch()))).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    plain, _ = learner().loss(network, batch())
    assert loss.item() != pytest.approx(plain.item(), rel=0.01)


def test_mixed_up_pictures_are_judged_by_both_their_labels_in_the_same_shares() -> None:
    network, shares = Network(), []
    for seed in range(20):
        torch.manual_seed(seed)
        np.random.seed(seed)
        loss, told = learner(augment={"mixup": 0.4}, labelSmoothing=0.1).loss(network, batch())
        images = (batch()[0] / 255).double()
        # Each picture that was shown lies between its own and another, as far from it as all others from theirs.
        torch.manual_seed(seed)
        partners = torch.randperm(5)
        moved = partners != torch.arange(5)
        ratio = (network.shown.double() - images)[moved] / (images[partners] - images)[moved]
        away = float(ratio[ratio.isfinite()].median())
        shown = (1 - away) * images + away * images[partners]
        torch.testing.assert_close(network.shown.double(), shown, atol=1e-6, rtol=0)
        targets = one_hot(of_batch(), 0.1)
        mixed = (1 - away) * targets + away * targets[partners]
        assert loss.item() == pytest.approx(surprise(network(shown.float()), mixed).mean().item(), rel=1e-4)
        assert list(told) == ["loss"], "there is no one right answer"
        shares.append(away)
    assert all(0 <= share <= 1 for share in shares)
    assert min(shares) < 0.2
    assert max(shares) > 0.8


class Embedding(nn.Module):
    """Logits and features."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images), images.flatten(1)


def of_persons(asked: ReidLoss) -> ReidLearner:
    persons = np.array(LABELS)
    return ReidLearner(asked, Seen(pictures(LABELS), persons, 0 * persons, 0 * persons), (), ON)


@pytest.mark.parametrize(("triplet", "softmax"), [(1.0, 1.0), (0.5, 2.0), (0.0, 1.0), (1.0, 0.0)])
def test_a_persons_loss_is_the_weighted_sum_of_triplet_and_softmax(triplet: float, softmax: float) -> None:
    asked = ReidLoss(weight_t=triplet, weight_x=softmax, margin=0.3, label_smoothing=0.1)
    model = Embedding()
    loss, told = of_persons(asked).loss(model, batch())
    features = (batch()[0] / 255).flatten(1).double()
    margins = []
    for own, person in enumerate(of_batch()):
        apart = [(features[own] - other).norm().item() for other in features]
        same = [distance for distance, other in zip(apart, of_batch(), strict=True) if other == person]
        others = [distance for distance, other in zip(apart, of_batch(), strict=True) if other != person]
        margins.append(max(0.0, 0.3 + max(same) - min(others)))
    smoothed = surprise(model(batch()[0] / 255)[0], one_hot(of_batch(), 0.1)).mean().item()
    assert loss.item() == pytest.approx(triplet * float(np.mean(margins)) + softmax * smoothed, rel=1e-4)
    assert ("triplet" in told, "softmax" in told) == (bool(triplet), bool(softmax))


class Identifier(nn.Module):
    """Features as they are, and a head."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self.head = build_head(FaceId.model_validate({"head": head, "embeddingSize": 12}), CLASSES)

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.head(images.flatten(1), labels)
        return found


def faces() -> face_id.FaceIdLearner:
    return face_id.FaceIdLearner(pictures(LABELS), cast("face_id.Examiner", None), ON)


@pytest.mark.parametrize(
    ("learns", "model"),
    [
        (learner(), Network()),
        (learner(balance="loss", labelSmoothing=0.1), Network()),
        (learner(augment={"mixup": 0.4}), Network()),
        (faces(), Identifier("arcface")),
        (faces(), Identifier("cosface")),
        (faces(), Identifier("linear")),
        (of_persons(ReidLoss()), Embedding()),
    ],
    ids=["plain", "weighted", "mixup", "arcface", "cosface", "linear", "reid"],
)
def test_a_loss_and_its_gradients_wait_for_no_gpu(learns: Any, model: nn.Module) -> None:
    with Reads() as reads:
        loss, _ = learns.loss(model, batch())
        loss.backward()
    assert reads.seen > 10
    assert reads.found == []
    assert all(parameter.grad is not None for parameter in model.parameters())
