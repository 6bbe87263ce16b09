"""Heads say what their papers say, in 32 bits, and top-k is what scikit-learn's is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from modelyard_api.face_id import FaceId
from modelyard_trainer.tasks.face_id.heads import ArcFace, CosFace, Linear, MarginHead, build_head
from modelyard_trainer.tasks.face_id.scores import hits
from sklearn.metrics import top_k_accuracy_score
from torch.nn.functional import normalize


def example(head: torch.nn.Module, pictures: int = 40, classes: int = 7, width: int = 5) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        # Other tests draw from the generator that weights come from: with some, 16 bits were too few for the tolerance.
        head.get_parameter("weight").normal_(std=0.01, generator=draw)
    features = 3 * torch.randn(pictures, width, generator=draw)
    labels = torch.randint(0, classes, (pictures,), generator=draw)
    return features, labels, *head(features, labels)


@pytest.mark.parametrize("margin", [0.0, 0.3, 0.5])
def test_arcface_widens_the_angle_to_ones_own_identity_alone(margin: float) -> None:
    head = ArcFace(5, 7, 64, margin)
    features, labels, harder, plain = example(head)
    angles = torch.acos((normalize(features) @ normalize(head.weight).T).clamp(-1, 1))
    torch.testing.assert_close(plain, 64 * angles.cos(), atol=1e-4, rtol=0)
    own = torch.arange(7) == labels[:, None]
    wider = torch.where(angles + margin <= math.pi, (angles + margin).cos(), angles.cos() - margin * math.sin(margin))
    torch.testing.assert_close(harder, 64 * torch.where(own, wider, angles.cos()), atol=1e-4, rtol=0)


def test_cosface_takes_the_margin_from_ones_own_cosine_alone() -> None:
    _, labels, harder, plain = example(CosFace(5, 7, 30, 0.35))
    own = torch.nn.functional.one_hot(labels, 7)
    torch.testing.assert_close(harder, plain - 30 * 0.35 * own)


def test_a_margin_is_harder_at_every_angle_and_its_gradient_a_number() -> None:
    cosines = torch.linspace(-1, 1, 2001, requires_grad=True)
    head = ArcFace(2, 2, 64, 0.5)
    harder = head.harder(cosines)
    assert (harder <= cosines).all()
    (gradient,) = torch.autograd.grad(harder.sum(), cosines)
    assert gradient.isfinite().all()
    # It goes on rising with the cosine, also where the angle and the margin are more than pi.
    assert (harder.diff() > 0).all()


@pytest.mark.parametrize(
    "head", [ArcFace(5, 7, 64, 0.5), CosFace(5, 7, 64, 0.35), Linear(5, 7)], ids=lambda h: type(h).__name__
)
def test_under_mixed_precision_logits_are_those_of_32_bits(head: torch.nn.Module) -> None:
    features, labels, harder, _ = example(head)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = head(features.bfloat16(), labels)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, head(features.bfloat16().float(), labels)[0])
    torch.testing.assert_close(mixed, harder, atol=0.5, rtol=0.05)


def test_heads_have_their_papers_numbers_unless_told_otherwise() -> None:
    found = [build_head(FaceId.model_validate({"head": head}), 3) for head in ("arcface", "cosface")]
    assert [(head.scale, head.margin) for head in found if isinstance(head, MarginHead)] == [(64, 0.5), (64, 0.35)]
    told = build_head(FaceId.model_validate({"head": "arcface", "scale": 16, "margin": 0.0}), 3)
    assert isinstance(told, ArcFace)
    assert (told.scale, told.margin) == (16, 0)
    linear = build_head(FaceId.model_validate({"head": "linear", "embeddingSize": 8}), 3)
    assert isinstance(linear, Linear)
    assert linear.weight.shape == (3, 8)
    assert linear.bias is None


@pytest.mark.parametrize("seed", range(4))
def test_top_1_and_top_5_agree_with_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits, labels = draw.normal(size=(300, 12)), draw.integers(0, 12, 300)
    first, among = hits(torch.from_numpy(logits), torch.from_numpy(labels))
    for found, k in ((first, 1), (among, 5)):
        wanted = top_k_accuracy_score(labels, logits, k=k, labels=range(12))
        assert found.double().mean().item() == pytest.approx(wanted, abs=1e-6)


def test_among_fewer_than_five_identities_all_are_near() -> None:
    first, among = hits(torch.eye(3), torch.tensor([0, 1, 0]))
    assert first.tolist() == [True, True, False]
    assert among.all()
