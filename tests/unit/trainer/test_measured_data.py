"""What a run that trains nothing needs of its data set: what it measures on, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from modelyard_api.classification import Classification
from modelyard_api.face_id import FaceId
from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid
from modelyard_api.spec import Dataset, DatasetFormat
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.classification import check_classification
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.identities import check_identities
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Picture
from modelyard_trainer.dataset.reid import ReidDataset, check_reid
from modelyard_trainer.errors import RunError
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from PIL import Image

from tests.unit.trainer.datasets import make_dataset

NOT_SPLIT = (
    "the data set is not split: of its 8 pictures those 2 are measured that a training with seed 1 sets aside; one "
    "that has validation or test pictures alone is measured whole"
)


def lay(root: Path, *names: str) -> Path:
    """Small pictures of these names."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 20), (20 * number % 256, 90, 90)).save(root / name)
    return root


def folders(root: Path, *sides: str, classes: tuple[str, ...] = ("ann", "bob")) -> Path:
    """Four pictures of each class below each side."""
    return lay(root, *(f"{side}/{name}/{number}.png" for side in sides for name in classes for number in range(4)))


def fetched(folder: Path, form: str) -> tuple[FetchedDataset, Dataset]:
    wanted = Dataset.model_validate({"path": str(folder), "format": form, "validationSplit": 0.25})
    return fetch(wanted, Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2), wanted


def classified(folder: Path, mode: Mode = Mode.EVALUATE, known: tuple[str, ...] | None = None) -> CheckedDataset:
    return check_classification(
        *fetched(folder, "image-folder"), Classification(), seed=1, threads=2, mode=mode, known=known
    )


def identified(
    folder: Path, mode: Mode = Mode.EVALUATE, known: tuple[str, ...] | None = None, **block: Any
) -> CheckedDataset:
    asked = FaceId.model_validate(block)
    return check_identities(*fetched(folder, "image-folder"), asked, seed=1, threads=2, mode=mode, known=known)


def found(folder: Path, mode: Mode = Mode.EVALUATE, **block: Any) -> ReidDataset:
    asked = Reid.model_validate(block)
    return check_reid(*fetched(folder, "market1501"), asked, seed=1, threads=2, mode=mode)


def detected(folder: Path, layout: DatasetFormat, mode: Mode = Mode.EVALUATE) -> CheckedDataset:
    data, _ = fetched(folder, "yolo")
    return check_dataset(data, layout, validation_split=0.25, fraction=1, seed=1, threads=2, mode=mode)


def names(pictures: tuple[Picture, ...]) -> set[str]:
    return {each.name.split("/")[-2] for each in pictures}


@pytest.mark.parametrize("side", ["val", "test"])
@pytest.mark.parametrize("mode", [Mode.EVALUATE, Mode.EXPORT])
def test_a_classifier_is_measured_on_pictures_of_one_side_alone(tmp_path: Path, side: str, mode: Mode) -> None:
    data = classified(folders(tmp_path, side), mode)
    assert (len(data.training), len(data.validation), len(data.test)) == (0, 8, 0)
    assert (data.classes, data.split_by_seed, data.notices) == (("ann", "bob"), False, ())
    with pytest.raises(RunError, match="nothing below train/"):
        classified(tmp_path, Mode.TRAIN)


def test_training_pictures_are_not_even_opened_to_measure(tmp_path: Path) -> None:
    folders(tmp_path, "train", "val", "test")
    (tmp_path / "train/ann/0.png").write_bytes(b"no picture")
    data = classified(tmp_path)
    assert (len(data.training), len(data.validation), len(data.test)) == (0, 8, 8)
    with pytest.raises(RunError, match="cannot be read"):
        classified(tmp_path, Mode.EXPORT)


def test_a_data_set_that_is_not_split_is_measured_where_a_training_would_and_that_is_said(tmp_path: Path) -> None:
    folders(tmp_path, ".")
    trained, measured = classified(tmp_path, Mode.TRAIN), classified(tmp_path)
    assert [each.name for each in measured.validation] == [each.name for each in trained.validation]
    assert (measured.training, measured.notices, trained.notices) == ((), (NOT_SPLIT,), ())


def test_classes_are_those_of_the_weights_where_not_all_are_shown(tmp_path: Path) -> None:
    data = classified(folders(tmp_path, "val"), known=("zoe", "bob", "ann"))
    assert data.classes == ("zoe", "bob", "ann")
    assert {int(each.objects.classes[0]) for each in data.validation} == {1, 2}
    with pytest.raises(RunError, match=r"val/bob/0.png: the weights know no class bob; one of ann, zoe would") as ended:
        classified(tmp_path, known=("ann", "zoe"))
    assert ended.value.reason is Reason.WEIGHTS_DO_NOT_FIT


def test_individuals_whom_the_weights_do_not_know_are_verified(tmp_path: Path) -> None:
    folders(tmp_path, ".", classes=("ann", "bob", "cy", "dee"))
    data = identified(tmp_path, known=("ann", "bob", "eve"), numClasses=9)
    assert (data.classes, data.held_out_classes) == (("ann", "bob", "eve"), ("cy", "dee"))
    assert (names(data.validation), names(data.held_out)) == ({"ann", "bob"}, {"cy", "dee"})
    assert (len(data.validation), len(data.held_out)) == (2, 8)


def test_so_they_are_where_the_weights_know_nobody(tmp_path: Path) -> None:
    data = identified(folders(tmp_path, "test"), known=("cy", "dee"))
    assert (data.validation, len(data.held_out)) == ((), 8)
    with pytest.raises(RunError, match="has a second picture to validate on"):
        identified(tmp_path, Mode.EXPORT, known=("cy", "dee"))


def test_known_individuals_are_measured_on_pictures_of_one_side_alone(tmp_path: Path) -> None:
    data = identified(folders(tmp_path, "val"), known=("ann", "bob"), heldOutIdentities={"count": 2})
    assert (len(data.validation), data.held_out, data.notices) == (8, (), ())


def test_persons_are_looked_for_without_any_to_train_on(tmp_path: Path) -> None:
    lay(tmp_path / "shop", "query/0001_c1_f1.png", "bounding_box_test/0001_c2_f1.png")
    for mode in (Mode.EVALUATE, Mode.EXPORT):
        data = found(tmp_path, mode, sources=["shop"])
        assert (len(data.training), len(data.validation), data.classes) == (0, 2, ())
    # Of sources that are only trained on nothing needs to be there.
    assert len(found(tmp_path, sources=["gone"], targets=["shop"]).validation) == 2
    with pytest.raises(RunError, match="no pictures of persons in bounding_box_train/"):
        found(tmp_path, Mode.TRAIN, sources=["shop"])


@pytest.mark.parametrize("described", [True, False])
def test_a_detector_is_measured_without_training_pictures(tmp_path: Path, described: bool) -> None:
    make_dataset(tmp_path)
    for kind in ("images", "labels"):
        (tmp_path / kind).rename(tmp_path / "moved")
        (tmp_path / kind).mkdir()
        (tmp_path / "moved").rename(tmp_path / kind / "test")
    (tmp_path / "SHA256SUMS").unlink(missing_ok=True)
    (tmp_path / "data.yaml").write_text("names: [square, disc]\n" + ("test: images/test\n" if described else ""))
    data = detected(tmp_path, DatasetFormat.YOLO)
    assert (len(data.training), len(data.validation), data.split_by_seed) == (0, 10, False)


def test_a_single_coco_file_is_the_side_that_its_name_says_where_nothing_is_trained(tmp_path: Path) -> None:
    lay(tmp_path, *(f"images/{number}.png" for number in range(8)))
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(8)],
        "annotations": [{"id": n, "image_id": n, "category_id": 3, "bbox": [1, 1, 5, 5]} for n in range(8)],
        "categories": [{"id": 3, "name": "square"}],
    }
    (tmp_path / "instances_val2017.json").write_text(json.dumps(content))
    assert len(detected(tmp_path, DatasetFormat.COCO).validation) == 8
    assert len(detected(tmp_path, DatasetFormat.COCO, Mode.TRAIN).validation) == 2
    (tmp_path / "instances_val2017.json").rename(tmp_path / "all.json")
    assert detected(tmp_path, DatasetFormat.COCO).notices == (NOT_SPLIT,)
