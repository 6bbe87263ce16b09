"""Ranks, average precision, re-ranking and the triplet loss are those of torchreid and scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from modelyard_trainer.dataset.reid import Seen
from modelyard_trainer.tasks.reid.losses import batch_hard_triplet
from modelyard_trainer.tasks.reid.ranking import Ranking, averaged
from modelyard_trainer.tasks.reid.reranking import reranked
from sklearn.metrics import average_precision_score

from tests.unit.trainer.torchreids import torchreids

RANKS = (1, 5, 10, 20)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    THEIRS: Any = torchreids("metrics.rank")


def seen(persons: list[int] | np.ndarray[Any, Any], cameras: list[int] | np.ndarray[Any, Any]) -> Seen:
    return Seen((), np.asarray(persons), np.asarray(cameras), np.zeros(len(persons), np.int64))


def drawn(seed: int, queries: int = 40, pictures: int = 90) -> tuple[np.ndarray[Any, Any], Seen, Seen]:
    """Distances without ties, of queries and a gallery with distractors."""
    draw = np.random.default_rng(seed)
    distances = draw.permutation(queries * pictures).reshape(queries, pictures).astype(np.float32)
    return (
        distances,
        seen(draw.integers(1, 12, queries), draw.integers(1, 4, queries)),
        seen(draw.integers(0, 12, pictures), draw.integers(1, 4, pictures)),
    )


def measured(distances: np.ndarray[Any, Any], query: Seen, gallery: Seen, **options: Any) -> dict[str, float]:
    ranking = Ranking(gallery, RANKS, **options)
    for part in np.array_split(np.arange(len(distances)), 3):
        ranking.add(distances[part], query.persons[part], query.cameras[part])
    return ranking.metrics()


@pytest.mark.parametrize("seed", range(5))
def test_ranks_and_average_precision_are_torchreids(seed: int) -> None:
    distances, query, gallery = drawn(seed)
    theirs, mean = THEIRS.eval_market1501(
        distances, query.persons, gallery.persons, query.cameras, gallery.cameras, max_rank=50
    )
    ours = measured(distances, query, gallery)
    assert ours["mAP"] == pytest.approx(mean, abs=1e-6)
    assert [ours[f"rank{rank}"] for rank in RANKS] == pytest.approx([theirs[rank - 1] for rank in RANKS], abs=1e-6)


def test_average_precision_is_scikit_learns() -> None:
    distances, query, gallery = drawn(9)
    expected = []
    for row, (person, camera) in enumerate(zip(query.persons, query.cameras, strict=True)):
        counted = ~((gallery.persons == person) & (gallery.cameras == camera))
        right = gallery.persons[counted] == person
        if right.any():
            expected.append(average_precision_score(right, -distances[row, counted]))
    assert measured(distances, query, gallery)["mAP"] == pytest.approx(float(np.mean(expected)), abs=1e-6)


def test_a_gallery_smaller_than_a_rank_counts_as_a_whole() -> None:
    distances = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], np.float32)
    metrics = measured(distances, seen([1, 1], [1, 1]), seen([2, 1, 2], [2, 2, 2]))
    assert metrics == {"mAP": 0.5, "rank1": 0.0, "rank5": 1.0, "rank10": 1.0, "rank20": 1.0}


def test_a_query_that_no_other_camera_saw_does_not_count() -> None:
    distances = np.array([[0.1, 0.2], [0.1, 0.2]], np.float32)
    metrics = measured(distances, seen([1, 2], [1, 1]), seen([1, 2], [1, 2]))
    assert metrics["rank1"] == 0.0, "of person 2 alone, behind person 1"
    assert metrics["mAP"] == 0.5


def test_with_one_picture_of_each_person_cuhk03s_ranks_are_torchreids() -> None:
    draw = np.random.default_rng(3)
    gallery = seen(np.arange(30), np.full(30, 2))
    query = seen(draw.integers(0, 30, 25), np.full(25, 1))
    distances = draw.permutation(25 * 30).reshape(25, 30).astype(np.float32)
    theirs, mean = THEIRS.eval_cuhk03(
        distances, query.persons, gallery.persons, query.cameras, gallery.cameras, max_rank=20
    )
    ours = measured(distances, query, gallery, single_shot=True)
    assert ours["mAP"] == pytest.approx(mean, abs=1e-6)
    assert [ours[f"rank{rank}"] for rank in RANKS] == pytest.approx([theirs[rank - 1] for rank in RANKS], abs=1e-6)


def test_with_several_the_draws_agree_with_torchreids_as_far_as_chance_does() -> None:
    distances, query, gallery = drawn(4, queries=400)
    np.random.seed(0)
    theirs, _ = THEIRS.eval_cuhk03(
        distances, query.persons, gallery.persons, query.cameras, gallery.cameras, max_rank=20
    )
    ours = measured(distances, query, gallery, single_shot=True)
    # 4,000 draws: a share's deviation is below 0.01.
    assert [ours[f"rank{rank}"] for rank in RANKS[:2]] == pytest.approx([theirs[0], theirs[4]], abs=0.03)
    assert ours == measured(distances, query, gallery, single_shot=True), "the same whenever it is asked"


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (5, 1), (60, 3)])
def test_reranking_is_torchreids(k1: int, k2: int) -> None:
    points = np.random.default_rng(1).normal(size=(50, 6))
    distances = np.linalg.norm(points[:, None] - points, axis=2).astype(np.float32)
    parts = distances[:15, 15:], distances[:15, :15], distances[15:, 15:]
    theirs = torchreids("utils.rerank").re_ranking(*parts, k1=k1, k2=k2, lambda_value=0.3)
    np.testing.assert_allclose(reranked(*parts, k1=k1, k2=k2, original=0.3), theirs, atol=1e-6)


def test_the_triplet_loss_and_its_gradient_are_torchreids() -> None:
    theirs = torchreids("losses.hard_mine_triplet_loss").TripletLoss(margin=0.3)
    torch.manual_seed(0)
    persons = torch.arange(8).repeat_interleave(4)
    for scale in (0.02, 0.1, 1.0):
        ours, other = ((torch.randn(32, 16, generator=torch.Generator().manual_seed(1)) * scale) for _ in range(2))
        one, two = batch_hard_triplet(ours.requires_grad_(), persons, 0.3), theirs(other.requires_grad_(), persons)
        (one + two).backward()
        assert one.item() == pytest.approx(two.item(), abs=1e-6)
        torch.testing.assert_close(ours.grad, other.grad, atol=1e-6, rtol=1e-5)


def test_a_batch_of_one_person_teaches_nothing() -> None:
    features = torch.randn(4, 8, requires_grad=True)
    loss = batch_hard_triplet(features, torch.zeros(4), 0.3)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_several_targets_have_their_mean_and_their_own() -> None:
    one, other = {"mAP": 0.5, "rank1": 1.0}, {"mAP": 0.3, "rank1": 0.0}
    assert averaged({"": one}) == one
    assert averaged({"a": one, "b": other}) == {
        **{"mAP": 0.4, "rank1": 0.5, "a/mAP": 0.5, "a/rank1": 1.0, "b/mAP": 0.3, "b/rank1": 0.0}
    }
