"""Every way in which a classification data set can be wrong, and how right ones are read and split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard_api.classification import Classification
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.spec import Dataset
from modelyard_trainer.dataset.classification import check_classification
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.imaging.squares import read_square
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from PIL import Image

Rows = list[dict[str, Any]]


def check(folder: Path, block: dict[str, Any] | None = None, **dataset: object) -> CheckedDataset:
    """Fetch and check the data set in `folder`, as a run does."""
    form = "table" if block and "table" in block else "image-folder"
    wanted = Dataset.model_validate({"path": str(folder), "format": form, "validationSplit": 0.25, **dataset})
    fetched = fetch(wanted, Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2)
    return check_classification(fetched, wanted, Classification.model_validate(block or {}), seed=1, threads=2)


def picture(path: Path, shade: int = 100, size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, shade, shade)).save(path)


def folders(root: Path, *sides: str) -> Path:
    """Eight pictures of two classes, below each of `sides`."""
    for side in sides or (".",):
        for number in range(8):
            picture(root / side / ("cat", "dog")[number % 2] / f"{number}.png", 20 * number)
    return root


def coins(root: Path, rows: Rows | None = None, *, form: str = "json") -> Path:
    """Forty coins like Penny's: side, type, angle, year and a region of the date."""
    made = rows if rows is not None else [coin(number) for number in range(40)]
    for row in made:
        picture(root / "pictures" / f"{row['uid']}.png", 60, (40, 20))
    if form == "csv":
        lines = [",".join(made[0]), *(",".join(str(value) for value in row.values()) for row in made)]
        (root / "metadata.csv").write_text("\n".join(lines) + "\n")
    else:
        (root / "metadata.json").write_text(json.dumps(made))
    regions = {row["uid"]: {"date": [10, 5, 30, 15]} for row in made}
    (root / "roi.json").write_text(json.dumps(regions))
    return root


def coin(number: int) -> dict[str, Any]:
    side = "obverse" if number % 2 else "reverse"
    kind = ("memorial", "wheat")[number // 2 % 2]
    return {"uid": f"c{number:02}", "side": side, "type": kind, "angle": number * 9.5, "year": 1909 + number}


def table(**changes: object) -> dict[str, Any]:
    return {"table": {"picture": "pictures/{uid}.png", "label": {"field": "type"}, **changes}}


def test_a_tree_of_folders_is_split_by_seed(tmp_path: Path) -> None:
    data = check(folders(tmp_path))
    assert data.classes == ("cat", "dog")
    assert (len(data.training), len(data.validation), len(data.test)) == (6, 2, 0)
    assert data.split_by_seed
    for each in data.pictures:
        assert data.classes[each.objects.classes[0]] == each.name.split("/")[0]
    assert data.status().classes == 2


def test_folders_that_are_split_stay_so(tmp_path: Path) -> None:
    data = check(folders(tmp_path, "train", "val", "test"), {"testSplit": 0.5})
    assert {each.name.split("/")[0] for each in data.training} == {"train"}
    assert {each.name.split("/")[0] for each in data.validation} == {"val"}
    assert {each.name.split("/")[0] for each in data.test} == {"test"}
    assert not data.split_by_seed


def test_a_test_is_set_aside_and_a_trial_takes_less(tmp_path: Path) -> None:
    data = check(folders(tmp_path), {"testSplit": 0.25})
    assert (len(data.training), len(data.validation), len(data.test)) == (4, 2, 2)
    assert len({each.name for each in data.pictures}) == 8
    small = check(folders(tmp_path), None, limit=3)
    assert (len(small.training), len(small.validation)) == (3, 2)


def test_the_side_of_a_coin_is_its_type_unless_it_is_the_obverse(tmp_path: Path) -> None:
    label = {"field": "type", "exceptions": [{"field": "side", "equals": "obverse", "label": "obverse"}]}
    data = check(coins(tmp_path), table(label=label) | {"classes": ["obverse", "memorial", "wheat", "shield"]})
    assert data.classes == ("obverse", "memorial", "wheat", "shield")
    assert data.notices == ("1 of 4 classes have no training picture: shield",)
    found = {each.name[9:12]: data.classes[each.objects.classes[0]] for each in data.pictures}
    assert (found["c01"], found["c00"], found["c02"]) == ("obverse", "memorial", "wheat")


@pytest.mark.parametrize("form", ["json", "csv"])
def test_angles_are_binned_and_kept(tmp_path: Path, form: str) -> None:
    block = table(label={"field": "angle", "binDegrees": 3}, filter={"side": "obverse"}, file=f"metadata.{form}")
    data = check(coins(tmp_path, form=form), block | {"augment": {"horizontalFlip": 0}})
    assert len(data.classes) == 120
    assert data.classes[:2] == ("0", "3")
    for each in data.pictures:
        assert each.angle is not None
        assert each.objects.classes[0] == int(each.angle / 3)
    assert data.status().images == 20


def test_years_are_classes_whether_they_are_there_or_not(tmp_path: Path) -> None:
    block = table(label={"field": "year", "numbers": {"first": 1909, "last": 2024}})
    data = check(coins(tmp_path), block)
    assert len(data.classes) == 116
    assert {each.objects.classes[0] for each in data.pictures} == set(range(40))


def test_a_region_is_padded_and_cut_out(tmp_path: Path) -> None:
    data = check(coins(tmp_path), table(roi={"file": "roi.json", "region": "date"}))
    x, y, width, height = data.training[0].objects.boxes[0] * np.array([40, 20, 40, 20])
    assert (x, y, width, height) == pytest.approx((20, 10, 22, 11), abs=1e-4)
    path = data.training[0].path
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[5:15, 9:31] = 200
    Image.fromarray(pixels).save(path)
    square = read_square(data.training[0], 16, Classification().resize)
    assert square.shape == (16, 16, 3)
    assert square.mean() > 150


def test_more_coins_move_none_from_its_side(tmp_path: Path) -> None:
    few = check(coins(tmp_path / "few"), table())
    more = check(coins(tmp_path / "more", [coin(number) for number in range(80)]), table())
    side_of = {each.name: "val" for each in more.validation} | {each.name: "train" for each in more.training}
    assert {side_of[each.name] for each in few.training} == {"train"}
    assert {side_of[each.name] for each in few.validation} == {"val"}


def test_pictures_of_one_coin_stay_together(tmp_path: Path) -> None:
    rows = [{**coin(number), "coin": f"coin{number // 4}"} for number in range(80)]
    data = check(coins(tmp_path, rows), table(splitBy="coin"))
    coins_of = [{int(each.name[10:12]) // 4 for each in side} for side in (data.training, data.validation)]
    assert coins_of[0].isdisjoint(coins_of[1])
    assert all(coins_of)


@dataclass(frozen=True)
class Wrong:
    """A data set that is wrong in one way, and what is said of it."""

    what: str
    make: Callable[[Path], Path]
    reason: Reason
    words: str
    block: dict[str, Any] | None = None

    def __str__(self) -> str:
        return self.what


def rows(*changes: dict[str, Any]) -> Callable[[Path], Path]:
    """Coins, of which the first ones are changed."""
    changed = [{**coin(number), **(changes[number] if number < len(changes) else {})} for number in range(40)]
    return lambda root: coins(root, changed)


def spoilt(make: Callable[[Path], Path], spoil: Callable[[Path], object]) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        make(root)
        spoil(root)
        return root

    return made


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


ANGLES = {"field": "angle", "binDegrees": 3}
YEARS = {"field": "year", "numbers": {"first": 1909, "last": 2024}}
DATE = {"file": "roi.json", "region": "date"}
WRONG = (
    Wrong(
        "no picture",
        spoilt(lambda root: root, write("readme.txt", "nothing yet")),
        Reason.DATASET_EMPTY,
        "the data set holds no pictures",
    ),
    Wrong(
        "a picture in no folder",
        spoilt(folders, lambda root: picture(root / "stray.png")),
        Reason.DATASET_INVALID,
        "stray.png lies in no class's folder; <class>/stray.png would be right",
    ),
    Wrong(
        "a picture beside train/",
        spoilt(lambda root: folders(root, "train"), lambda root: picture(root / "cat" / "1.png")),
        Reason.DATASET_INVALID,
        "cat/1.png lies beside train/ and not below it",
    ),
    Wrong(
        "val/ without train/",
        lambda root: folders(root, "val"),
        Reason.DATASET_INVALID,
        "val/cat/0.png is there, but nothing below train/",
    ),
    Wrong(
        "a class that only val/ has",
        spoilt(lambda root: folders(root, "train", "val"), lambda root: picture(root / "val" / "dgo" / "1.png")),
        Reason.LABEL_INVALID,
        "val/dgo/1.png: train/ has no class dgo; its classes are cat, dog",
    ),
    Wrong(
        "one class alone",
        spoilt(folders, lambda root: shutil.rmtree(root / "dog")),
        Reason.DATASET_INVALID,
        "the 3 training pictures are all of the class cat",
    ),
    Wrong(
        "a damaged picture",
        spoilt(folders, write("cat/0.png", "no picture")),
        Reason.IMAGE_UNREADABLE,
        "cat/0.png cannot be read: it is not a picture of a known format",
    ),
    Wrong(
        "a label that is not listed",
        folders,
        Reason.LABEL_INVALID,
        "dog/1.png: its label dog is none of spec.classification.classes (cat)",
        {"classes": ["cat"]},
    ),
    Wrong(
        "a class that is listed twice",
        folders,
        Reason.SPEC_INVALID,
        "spec.classification.classes: cat is there twice",
        {"classes": ["cat", "dog", "cat"]},
    ),
    Wrong(
        "no table",
        folders,
        Reason.DATASET_INVALID,
        "spec.classification.table.file: the data set has no metadata.json",
        table(),
    ),
    Wrong(
        "a table that is not JSON",
        spoilt(coins, write("metadata.json", "[{},\n{]")),
        Reason.DATASET_INVALID,
        "metadata.json, line 2: not JSON",
        table(),
    ),
    Wrong(
        "a line of a CSV table that is too short",
        spoilt(coins, write("metadata.csv", "uid,type\nc00,wheat\nc01\n")),
        Reason.LABEL_INVALID,
        "metadata.csv, line 3: it has not as many values as the first line has names (2)",
        table(file="metadata.csv"),
    ),
    Wrong(
        "a field that no row has",
        coins,
        Reason.SPEC_INVALID,
        "spec.classification.table.label.field: no row of metadata.json has a field `kind`; there are angle, side",
        table(label={"field": "kind"}),
    ),
    Wrong(
        "a filter that nothing passes",
        coins,
        Reason.DATASET_EMPTY,
        "metadata.json has no row with side = edge, of 40 rows in all",
        table(filter={"side": "edge"}),
    ),
    Wrong(
        "a row without a label",
        rows({}, {"type": None}),
        Reason.LABEL_INVALID,
        "metadata.json, row 2: field `type` is empty; a label (or spec.classification.table.label.missing) would be",
        table(),
    ),
    Wrong(
        "an angle in words",
        rows({"angle": "upright"}),
        Reason.LABEL_INVALID,
        "metadata.json, row 1: field `angle` is 'upright'; an angle in degrees would be right",
        table(label=ANGLES) | {"augment": {"horizontalFlip": 0}},
    ),
    Wrong(
        "a year out of range",
        rows({}, {}, {"year": 2025}),
        Reason.LABEL_INVALID,
        "metadata.json, row 3: field `year` is '2025'; a whole number from 1909 to 2024 would be right",
        table(label=YEARS),
    ),
    Wrong(
        "two rows of one picture",
        rows({}, {"uid": "c00"}),
        Reason.LABEL_INVALID,
        "metadata.json, row 2: its picture pictures/c00.png is that of metadata.json, row 1, too",
        table(),
    ),
    Wrong(
        "a picture elsewhere",
        rows({"uid": "../../etc"}),
        Reason.LABEL_INVALID,
        "metadata.json, row 1: its picture pictures/../../etc.png leads out of the data set's folder",
        table(),
    ),
    Wrong(
        "a picture that is not there",
        spoilt(coins, lambda root: (root / "pictures" / "c07.png").unlink()),
        Reason.IMAGE_UNREADABLE,
        "pictures/c07.png cannot be read: it is not there",
        table(),
    ),
    Wrong(
        "a coin without a region",
        spoilt(coins, write("roi.json", "{}")),
        Reason.LABEL_INVALID,
        "roi.json: it has no region date of c00 (metadata.json, row 1)",
        table(roi=DATE),
    ),
    Wrong(
        "a region of three numbers",
        spoilt(coins, write("roi.json", json.dumps({f"c{n:02}": {"date": [1, 2, 3]} for n in range(40)}))),
        Reason.LABEL_INVALID,
        "roi.json: date of c00 must be [left, top, right, bottom] in pixels, not [1, 2, 3]",
        table(roi=DATE),
    ),
    Wrong(
        "a region beside the picture",
        spoilt(coins, write("roi.json", json.dumps({f"c{n:02}": {"date": [90, 5, 99, 9]} for n in range(40)}))),
        Reason.LABEL_INVALID,
        "which has 40 x 20 pixels",
        table(roi=DATE),
    ),
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_wrong_is_named(wrong: Wrong, tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    wrong.make(root)
    with pytest.raises(RunError) as refusal:
        check(root, wrong.block)
    assert refusal.value.reason is wrong.reason
    assert wrong.words in refusal.value.message
    assert EXIT_CODES[refusal.value.reason] == ExitCode.USER_ERROR
