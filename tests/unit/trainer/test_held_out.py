"""What is told of pairs of identities that training never saw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from modelyard_trainer.embeddings import held_out
from modelyard_trainer.embeddings.held_out import Verification, verification_of
from numpy.typing import NDArray


def embeddings(individuals: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some that lie near the others of their individual."""
    draw = np.random.default_rng(0)
    found = draw.normal(size=(individuals.max() + 1, 6))[individuals] + 0.4 * draw.normal(size=(len(individuals), 6))
    unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_only_rates_with_pairs_enough_are_told_and_the_others_are_said_not_to_be(tmp_path: Path) -> None:
    individuals = np.repeat(np.arange(10), 6)
    found = verification_of(embeddings(individuals), individuals)
    assert list(found.metrics()) == [
        *("verification/AUC", "verification/EER", "verification/TAR@FAR=0.1", "verification/TAR@FAR=0.01")
    ]
    assert found.notices() == (
        "TAR at FAR 0.001 is not told: it takes 10,000 pairs of two identities, and those held out make 1,620",
    )
    found.write(tmp_path / "verification.json")
    written = json.loads((tmp_path / "verification.json").read_text())
    assert (written["genuinePairs"], written["impostorPairs"]) == (150, 1620)
    assert written["auc"] == found.metrics()["verification/AUC"]
    assert written["tarAtFar"][1]["tar"] == found.metrics()["verification/TAR@FAR=0.01"]
    assert written["tarAtFar"][2] == {"far": 0.001}
    assert written["roc"]["far"][-1] == written["roc"]["tar"][-1] == 1


def test_without_two_pictures_of_one_nothing_is_verified() -> None:
    individuals = np.arange(5)
    found = verification_of(embeddings(individuals), individuals)
    assert found.metrics() == {}
    assert found.notices() == ("the identities held out have no two pictures of one, so that nothing was verified",)
    assert Verification().notices() == ()


def test_of_very_many_pictures_some_of_all_individuals_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "MOST_PICTURES", 40)
    individuals = np.repeat(np.arange(10), 20)
    found = verification_of(embeddings(individuals), individuals)
    assert found.roc is not None
    assert found.roc.genuine + found.roc.impostor == 40 * 39 / 2
    assert found.roc.genuine == 10 * 4 * 3 / 2
    assert found.notices()[-1] == "pairs were made of 40 of the 200 pictures of identities held out"
