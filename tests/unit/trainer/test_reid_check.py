"""Every way in which a re-identification data set can be wrong, and how right ones are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid
from modelyard_api.spec import Dataset
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.reid import ReidDataset, check_reid
from modelyard_trainer.errors import RunError
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from PIL import Image

MARKET = (
    *("bounding_box_train/0002_c1s1_000451_03.jpg", "bounding_box_train/0002_c2s1_000452_01.jpg"),
    *("bounding_box_train/0007_c1s1_000500_01.jpg", "bounding_box_train/0007_c3s2_000501_01.jpg"),
    *("query/0001_c1s1_001051_00.jpg", "query/0003_c2s1_001052_00.jpg"),
    *("bounding_box_test/0001_c2s1_001976_01.jpg", "bounding_box_test/0003_c1s1_002501_01.jpg"),
    *("bounding_box_test/0000_c1s1_000001_01.jpg", "bounding_box_test/-1_c1s1_000002_01.jpg"),
)
DUKE = (
    *("bounding_box_train/0002_c1_f0046182.jpg", "bounding_box_train/0009_c8_f0046183.jpg"),
    *("query/0005_c2_f0046985.jpg", "bounding_box_test/0005_c5_f0051341.jpg"),
)


def lay(root: Path, *names: str) -> Path:
    """Small pictures of these names."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 20), (20 * number % 256, 90, 90)).save(path, format="JPEG")
    return root


def check(folder: Path, dataset: dict[str, Any] | None = None, **block: Any) -> ReidDataset:
    """Fetch and check the data set in `folder`, as a run does."""
    wanted = Dataset.model_validate({"path": str(folder), "format": "market1501", **(dataset or {})})
    fetched = fetch(wanted, Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2)
    return check_reid(fetched, wanted, Reid.model_validate(block), seed=1, threads=2)


def refusal(folder: Path, **block: Any) -> RunError:
    with pytest.raises(RunError) as error:
        check(folder, **block)
    return error.value


def test_market_1501_is_read_as_the_benchmark_has_it(tmp_path: Path) -> None:
    data = check(lay(tmp_path, *MARKET, "gt_bbox/0001_c1s1_001051_00.jpg", "query/Thumbs.db"))
    assert data.classes == ("0002", "0007")
    assert data.seen.persons.tolist() == [0, 0, 1, 1]
    assert data.seen.cameras.tolist() == [0, 1, 0, 2]
    (target,) = data.targets
    assert target.query.persons.tolist() == [1, 3]
    assert target.gallery.persons.tolist() == [0, 1, 3], "a distractor counts, junk does not"
    assert target.gallery.cameras.tolist() == [1, 2, 1]
    assert [len(side) for side in (data.training, data.validation, data.test)] == [4, 5, 0]
    assert data.status().classes == 2
    assert data.notices == ()


def test_dukes_names_are_read_too(tmp_path: Path) -> None:
    data = check(lay(tmp_path, *DUKE))
    assert data.classes == ("0002", "0009")
    assert data.targets[0].gallery.cameras.tolist() == [5]


@pytest.mark.parametrize("inner", ["", "Market-1501-v15.09.15/"])
def test_the_folders_may_lie_one_deeper(tmp_path: Path, inner: str) -> None:
    data = check(lay(tmp_path, *(f"market1501/{inner}{name}" for name in MARKET)), sources=["market1501"])
    assert len(data.training) == 4


def test_several_sources_have_persons_and_cameras_of_their_own(tmp_path: Path) -> None:
    lay(tmp_path, *(f"market1501/{name}" for name in MARKET), *(f"duke/{name}" for name in DUKE))
    data = check(tmp_path, sources=["market1501", "duke"], targets=["duke"])
    assert data.classes == ("duke/0002", "duke/0009", "market1501/0002", "market1501/0007")
    assert len(set(data.seen.persons.tolist())) == 4
    assert len(set(data.seen.cameras.tolist())) == 5
    assert np.bincount(data.seen.sources).tolist() == [2, 4]
    assert [target.name for target in data.targets] == ["duke"]


def test_targets_are_trained_on_where_that_is_asked_for(tmp_path: Path) -> None:
    lay(tmp_path, *(f"market1501/{name}" for name in MARKET), *(f"duke/{name}" for name in DUKE))
    apart: dict[str, Any] = {"sources": ["market1501"], "targets": ["duke"]}
    assert len(check(tmp_path, **apart).training) == 4
    assert len(check(tmp_path, **apart, loadTrainTargets=True).training) == 6
    assert len(check(tmp_path, sources=["duke"], loadTrainTargets=True).training) == 2, "once is enough"


def test_all_are_combined_but_distractors(tmp_path: Path) -> None:
    data = check(lay(tmp_path, *MARKET), combineAll=True)
    assert data.classes == ("0001", "0002", "0003", "0007")
    assert len(data.training) == 8
    assert len(data.validation) == 5
    assert data.notices == (
        "2 of 2 persons of the data set that are looked for are trained on, too: how well strangers are found again is "
        "not what is measured",
    )


def test_a_trial_takes_whole_persons(tmp_path: Path) -> None:
    more = [f"bounding_box_train/{person:04}_c{camera}s1_1_1.jpg" for person in range(10, 20) for camera in (1, 2)]
    data = check(lay(tmp_path, *MARKET, *more), dataset={"limit": 6})
    assert sorted(np.bincount(data.seen.persons)) == [2, 2, 2]
    assert len(check(tmp_path, dataset={"fraction": 0.5}).training) == 12
    few = check(tmp_path, dataset={"limit": 2})
    assert len(few.classes) == 2
    assert len(few.targets[0].query.pictures) == 2
    assert set(few.targets[0].gallery.persons) <= {0, 1, 3}


@pytest.mark.parametrize(
    ("changes", "reason", "sentence"),
    [
        (
            {"query/0001.jpg": True},
            Reason.LABEL_INVALID,
            "query/0001.jpg: its name does not begin with a person and a camera; 0001_c1s1_000151_01.jpg (person 1, "
            "camera 1) would be right",
        ),
        (
            {name: False for name in MARKET if name.startswith("query")},
            Reason.SPLIT_EMPTY,
            "the data set has no pictures of persons in query/; query/0001_c1s1_000151_01.jpg (person 1, camera 1) "
            "would be right",
        ),
        (
            {"bounding_box_test/0003_c1s1_002501_01.jpg": False},
            Reason.LABEL_INVALID,
            "query/0003_c2s1_001052_00.jpg: no picture in bounding_box_test/ is of person 3; a picture of the person "
            "by another camera in bounding_box_test/, or the query without this one, would be right",
        ),
        (
            {"query/0000_c1s1_1_1.jpg": True},
            Reason.LABEL_INVALID,
            "query/0000_c1s1_1_1.jpg: person 0 stands for distractors, whom nobody looks for; a picture of the person "
            "by another camera in bounding_box_test/, or the query without this one, would be right",
        ),
        (
            {name: False for name in MARKET if "train/0007" in name},
            Reason.DATASET_INVALID,
            "the 2 training pictures are all of the same person; at least two would be right",
        ),
        (
            dict.fromkeys(MARKET, False) | {"0001/1.jpg": True},
            Reason.DATASET_INVALID,
            "the data set has no bounding_box_train/, query/ or bounding_box_test/ with pictures; "
            "bounding_box_train/0001_c1s1_000151_01.jpg (person 1, camera 1) would be right",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, bool], reason: Reason, sentence: str) -> None:
    lay(tmp_path, *(name for name in MARKET if changes.get(name, True)), *(n for n, there in changes.items() if there))
    error = refusal(tmp_path)
    assert (error.reason, error.message) == (reason, sentence)


def test_queries_that_only_their_own_camera_saw_are_told_or_refused(tmp_path: Path) -> None:
    lay(tmp_path, *MARKET, "query/0009_c1s1_1_1.jpg", "bounding_box_test/0009_c1s1_2_1.jpg")
    (notice,) = check(tmp_path).notices
    assert notice == (
        "1 of 3 queries of the data set do not count: no other camera saw the person in bounding_box_test/, such as "
        "query/0009_c1s1_1_1.jpg"
    )
    for name in MARKET[4:8]:
        (tmp_path / name).unlink()
    assert refusal(tmp_path).message == (
        "the data set: every person of the 1 queries was seen by the same camera only in bounding_box_test/, and such "
        "pictures do not count; pictures by other cameras would be right"
    )


def test_strangers_in_training_are_left_out_with_a_word(tmp_path: Path) -> None:
    data = check(lay(tmp_path, *MARKET, "bounding_box_train/0000_c1s1_1_1.jpg", "bounding_box_train/-1_c1s1_1_1.jpg"))
    assert len(data.training) == 4
    assert data.notices == (
        "1 pictures in bounding_box_train/ are of person 0, which stands for distractors, and were left out",
    )


def test_several_folders_that_could_be_meant_are_named(tmp_path: Path) -> None:
    lay(tmp_path, *(f"a/{name}" for name in MARKET), *(f"b/{name}" for name in DUKE))
    assert refusal(tmp_path).message == (
        "a, b each have bounding_box_train/, query/ or bounding_box_test/; naming those to use in spec.reid.sources "
        "would be right"
    )


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (lay(tmp_path, *MARKET) / MARKET[5]).write_bytes(b"no picture")
    error = refusal(tmp_path)
    assert error.reason is Reason.IMAGE_UNREADABLE
    assert error.message == f"{MARKET[5]} cannot be read: it is not a picture of a known format"
