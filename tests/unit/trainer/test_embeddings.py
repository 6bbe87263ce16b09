"""Embeddings: unit vectors in their order, and what verification says of them, compared with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from modelyard_trainer.embeddings.extract import Extractor
from modelyard_trainer.embeddings.network import Embedder
from modelyard_trainer.embeddings.subject import largest_distance
from modelyard_trainer.embeddings.verification import Roc, all_pairs
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

Pairs = tuple[NDArray[np.float32], NDArray[np.bool_]]


def drawn(seed: int, individuals: int = 20, each: int = 6, spread: float = 1.0) -> Pairs:
    """The pairs of embeddings that lie around those of their individuals."""
    draw = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(individuals), each)
    found = draw.normal(size=(individuals, 8))[numbers] + spread * draw.normal(size=(len(numbers), 8))
    unit = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return all_pairs(unit, numbers)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rounded", [False, True], ids=["all-different", "many-equal"])
def test_the_curve_agrees_with_scikit_learn(seed: int, rounded: bool) -> None:
    similarities, same = drawn(seed)
    similarities = similarities.round(1) if rounded else similarities
    roc = Roc.of(similarities, same)
    far, tar, thresholds = roc_curve(same, similarities, drop_intermediate=False)
    np.testing.assert_allclose(roc.far, far, atol=1e-6)
    np.testing.assert_allclose(roc.tar, tar, atol=1e-6)
    np.testing.assert_allclose(roc.thresholds[1:], thresholds[1:], atol=1e-6)
    assert roc.auc == pytest.approx(roc_auc_score(same, similarities), abs=1e-6)
    assert (roc.genuine, roc.impostor) == (int(same.sum()), int((~same).sum()))
    for rate in (0.1, 0.01):
        assert roc.tells(rate)
        assert roc.at(rate)[0] == pytest.approx(tar[far <= rate].max(), abs=1e-6)
    nearest = np.abs(far - (1 - tar)).argmin()
    assert roc.eer == pytest.approx((far[nearest] + 1 - tar[nearest]) / 2, abs=1 / roc.genuine)


def test_a_threshold_lets_through_what_is_said_of_it() -> None:
    similarities, same = drawn(1)
    tar, threshold = Roc.of(similarities, same).at(0.05)
    accepted = similarities >= threshold
    assert accepted[same].mean() == pytest.approx(tar, abs=1e-6)
    assert accepted[~same].mean() <= 0.05


def test_a_rate_is_told_only_of_pairs_enough_to_see_it() -> None:
    same = np.array([True] * 5 + [False] * 1000)
    roc = Roc.of(np.linspace(1, -1, len(same), dtype=np.float32), same)
    assert roc.tells(0.01)
    assert not roc.tells(0.001)
    assert (roc.auc, roc.eer) == pytest.approx((1.0, 0.0))
    worst = Roc.of(np.linspace(-1, 1, len(same), dtype=np.float32), same)
    assert (worst.auc, worst.eer) == pytest.approx((0.0, 1.0))


class Mean(nn.Module):
    """What is bright, what is red and what is green of a picture."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images.mean((1, 2, 3))[:, None], images.mean((2, 3))], 1)


def test_pictures_are_embedded_in_their_order_as_unit_vectors() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (7, 8, 6, 3), np.uint8)  # rectangles are welcome
    network = Embedder(Mean(), nn.Identity(), (0.4, 0.5, 0.6), (0.2, 0.2, 0.2)).eval()
    extractor = Extractor(pictures, batch_size=3, workers=0, device=torch.device("cpu"))
    found = extractor.embed(network)
    extractor.close()
    assert found.norm(dim=1).numpy() == pytest.approx(1)
    for picture, embedding in zip(pictures, found, strict=True):
        alone = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        torch.testing.assert_close(network(alone)[0], embedding)


def test_an_embedding_that_is_no_number_agrees_with_nothing() -> None:
    unit = np.eye(3, dtype=np.float32)
    assert largest_distance(unit, unit) == 0
    assert largest_distance(unit, -unit) == pytest.approx(2)
