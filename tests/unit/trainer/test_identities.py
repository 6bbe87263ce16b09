"""Identities: which are trained on, which are held out, and every way in which a data set of them can be wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from modelyard_api.face_id import FaceId
from modelyard_api.outcome import Reason
from modelyard_api.spec import Dataset
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.identities import check_identities
from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.errors import RunError
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from PIL import Image


def people(root: Path, counts: dict[str, int], side: str = ".") -> Path:
    """So many pictures of each."""
    for name, count in counts.items():
        (root / side / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (12, 12), (number * 9, 0, 0)).save(root / side / name / f"{number:02}.png")
    return root


def check(folder: Path, block: dict[str, Any] | None = None, seed: int = 1, **dataset: object) -> CheckedDataset:
    wanted = Dataset.model_validate({"path": str(folder), "format": "image-folder", "validationSplit": 0.25, **dataset})
    fetched = fetch(wanted, Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2)
    return check_identities(fetched, wanted, FaceId.model_validate(block or {}), seed=seed, threads=2)


def identities(pictures: tuple[Picture, ...]) -> Counter[str]:
    return Counter(Path(each.name).parent.name for each in pictures)


NINE = {f"p{number}": 4 + number for number in range(9)}


def test_each_identity_is_on_both_sides_and_its_number_is_that_of_its_name(tmp_path: Path) -> None:
    data = check(people(tmp_path, {"ann": 8, "bob": 4, "cy": 2, "dee": 1}))
    assert data.classes == ("ann", "bob", "cy", "dee")
    assert identities(data.training) == {"ann": 6, "bob": 3, "cy": 1, "dee": 1}
    assert identities(data.validation) == {"ann": 2, "bob": 1, "cy": 1}
    for each in data.pictures:
        assert data.classes[each.objects.classes[0]] == Path(each.name).parent.name
    assert not data.held_out


def test_identities_with_too_few_pictures_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    data = check(people(tmp_path, NINE), {"minImagesPerIdentity": 10, "numClasses": 3})
    assert data.classes == ("p6", "p7", "p8")
    assert data.notices == ("6 of 9 identities have fewer than 10 pictures and were left out, 39 pictures in all",)


@pytest.mark.parametrize(("asked", "count"), [({"share": 0.3}, 3), ({"count": 4}, 4), ({"share": 0.01}, 2)])
def test_identities_held_out_are_in_no_other_side(tmp_path: Path, asked: dict[str, float], count: int) -> None:
    data = check(people(tmp_path, NINE), {"heldOutIdentities": asked, "numClasses": 9})
    assert len(data.held_out_classes) == count
    assert len(data.classes) == 9 - count
    assert not set(data.classes) & set(data.held_out_classes)
    assert identities(data.held_out) == {name: NINE[name] for name in data.held_out_classes}
    for each in data.held_out:
        assert data.held_out_classes[each.objects.classes[0]] == Path(each.name).parent.name
    assert set(identities(data.training) | identities(data.validation)) == set(data.classes)
    assert data.status().images == sum(NINE.values())


def test_who_is_held_out_depends_on_the_seed_and_hardly_on_who_else_is_there(tmp_path: Path) -> None:
    block = {"heldOutIdentities": {"count": 3}}
    before = check(people(tmp_path, NINE), block)
    assert check(tmp_path, block).held_out_classes == before.held_out_classes
    assert any(check(tmp_path, block, seed=seed).held_out_classes != before.held_out_classes for seed in (2, 3))
    after = check(people(tmp_path, {"zoe": 5}), block)
    assert len(set(after.held_out_classes) & set(before.held_out_classes)) >= 2
    # Pictures of those who were known before stay where they were.
    shared = set(before.classes) & set(after.classes)
    sides = [
        {each.name for each in data.validation if Path(each.name).parent.name in shared} for data in (before, after)
    ]
    assert sides[0] == sides[1]


def test_a_split_of_the_data_sets_own_is_kept(tmp_path: Path) -> None:
    for side, count in (("train", 3), ("val", 2), ("test", 1)):
        people(tmp_path, {"ann": count, "bob": count, "cy": count}, side)
    data = check(tmp_path, {"minImagesPerIdentity": 6})
    assert [len(side) for side in (data.training, data.validation, data.test)] == [9, 6, 3]
    assert not data.split_by_seed


@pytest.mark.parametrize(
    ("counts", "block", "reason", "sentence"),
    [
        (
            NINE,
            {"minImagesPerIdentity": 10, "numClasses": 87},
            Reason.SPEC_INVALID,
            "spec.faceId.numClasses is 87, but the data set has 3 identities with at least 10 pictures; 3 would be "
            "right",
        ),
        (
            NINE,
            {"minImagesPerIdentity": 12},
            Reason.DATASET_INVALID,
            "the data set has 1 identity with at least 12 pictures, of which 0 are held out; at least 2 to train on "
            "would be right",
        ),
        (
            NINE,
            {"heldOutIdentities": {"count": 8}},
            Reason.DATASET_INVALID,
            "the data set has 9 identities, of which 8 are held out; at least 2 to train on would be right",
        ),
        (
            {"ann": 1, "bob": 1},
            {},
            Reason.SPLIT_EMPTY,
            "none of the 2 identities has a second picture to validate on; more pictures of each would be right",
        ),
    ],
    ids=["another-number", "too-few-pictures", "all-held-out", "one-picture-each"],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, counts: dict[str, int], block: dict[str, Any], reason: Reason, sentence: str
) -> None:
    with pytest.raises(RunError) as error:
        check(people(tmp_path, counts), block)
    assert (error.value.reason, error.value.message) == (reason, sentence)


def test_a_limit_holds_on_every_side(tmp_path: Path) -> None:
    data = check(people(tmp_path, NINE), {"heldOutIdentities": {"count": 3}}, limit=4)
    assert [len(side) for side in (data.training, data.validation, data.held_out)] == [4, 4, 4]
    assert "identities have no training picture" in data.notices[-1]
