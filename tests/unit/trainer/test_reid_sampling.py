"""Batches of a re-identification hold what was asked for, and follow from the seed and the epoch alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modelyard_api.reid import Reid
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.dataset.reid import Seen
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.reid.sampling import order_of

BATCH = 16


def seen(pictures_by_person: list[int], cameras: int = 4, sources: int = 1) -> Seen:
    """Pictures of persons, whose source is that of their number, by cameras in turn."""
    persons = np.repeat(np.arange(len(pictures_by_person)), pictures_by_person)
    count = len(persons)
    picture = Picture("one.jpg", None, 8, 8, Objects.none())  # type: ignore[arg-type]
    return Seen((picture,) * count, persons, np.arange(count) % cameras, persons % sources)


def batches(of: Seen, epoch: int = 0, seed: int = 1, **block: Any) -> list[np.ndarray[Any, Any]]:
    """The numbers of the pictures of each batch."""
    order, pictures = order_of(seed, of, Reid.model_validate(block), BATCH)
    found = order(epoch)
    assert len(found) == pictures, "every epoch is as long"
    return [found[start : start + BATCH] for start in range(0, pictures, BATCH)]


UNEVEN = seen([7, 4, 9, 2, 1, 12, 5, 8, 30, 6])


def test_each_batch_holds_as_many_pictures_of_as_many_persons() -> None:
    for epoch in range(5):
        found = batches(UNEVEN, epoch)
        assert len(found) >= 4
        for batch in found:
            persons, counts = np.unique(UNEVEN.persons[batch], return_counts=True)
            assert len(persons) == BATCH // 4
            assert set(counts) == {4}


def test_an_epoch_shows_no_picture_twice_but_of_persons_with_few() -> None:
    pictures, counts = np.unique(np.concatenate(batches(UNEVEN)), return_counts=True)
    twice = UNEVEN.persons[pictures[counts > 1]]
    assert set(twice) <= {3, 4}


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    first = np.concatenate(batches(UNEVEN, epoch=3))
    order, _ = order_of(1, UNEVEN, Reid(), BATCH)
    for epoch in (0, 7, 3):
        again = order(epoch)
    assert (again == first).all()
    assert (first != np.concatenate(batches(UNEVEN, epoch=4))).any()
    assert (first != np.concatenate(batches(UNEVEN, epoch=3, seed=2))).any()


@pytest.mark.parametrize("wanted", [1, 2, 4, 8])
def test_a_persons_pictures_come_from_so_many_cameras(wanted: int) -> None:
    even = seen([16] * 6)
    for batch in batches(even, sampler={"numCams": wanted}):
        for start in range(0, BATCH, 4):
            assert len(set(even.cameras[batch[start : start + 4]])) == min(wanted, 4)


def test_a_person_that_few_cameras_saw_has_all_pictures_all_the_same() -> None:
    one_camera = seen([8] * 6, cameras=1)
    assert sum(map(len, batches(one_camera, sampler={"numCams": 4}))) == 48


def test_the_persons_of_a_batch_come_from_so_many_sources() -> None:
    two = seen([8] * 12, sources=2)
    for batch in batches(two, sampler={"numDatasets": 2}):
        assert np.bincount(two.sources[batch]).tolist() == [8, 8]
    three = seen([8] * 12, sources=3)
    for batch in batches(three, sampler={"numDatasets": 2}):
        assert sorted(np.bincount(three.sources[batch], minlength=3)) == [0, 8, 8]


@pytest.mark.parametrize(("name", "field"), [("camera", "numCams"), ("dataset", "numDatasets")])
def test_a_batch_holds_as_many_pictures_of_each_camera_or_source(name: str, field: str) -> None:
    pictures = seen([20] * 6, cameras=3, sources=3)
    kinds = pictures.cameras if name == "camera" else pictures.sources
    for batch in batches(pictures, loss={"weightT": 0}, sampler={"name": name, field: 2}):
        assert sorted(np.bincount(kinds[batch], minlength=3)) == [0, 8, 8]


def test_versions_of_a_picture_stand_side_by_side() -> None:
    for batch in batches(UNEVEN, kTfm=2):
        assert (batch[::2] == batch[1::2]).all()
        assert len(np.unique(UNEVEN.persons[batch])) == 2
    plain = np.concatenate(batches(UNEVEN, kTfm=3, loss={"weightT": 0}, sampler={"name": "random"}))
    assert np.bincount(plain).tolist() == [3] * len(UNEVEN.persons)


@pytest.mark.parametrize(
    ("pictures", "block", "sentence"),
    [
        (
            seen([8] * 3),
            {},
            "spec.training.batchSize: batches with 4 pictures of each person need 4 persons, and the training pictures "
            "show 3; 12 at most would be right",
        ),
        (
            seen([8] * 8),
            {"sampler": {"numDatasets": 2}},
            "spec.reid.sampler.numDatasets: 2, but the training pictures are of 1 sources; 1 at most would be right",
        ),
        (
            seen([8] * 8, cameras=2),
            {"loss": {"weightT": 0}, "sampler": {"name": "camera", "numCams": 4}},
            "spec.reid.sampler.numCams: 4, but the training pictures are of 2 cameras; 2 at most would be right",
        ),
    ],
)
def test_too_few_for_a_batch_is_said(pictures: Seen, block: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RunError) as error:
        order_of(1, pictures, Reid.model_validate(block), BATCH)
    assert error.value.message == sentence
