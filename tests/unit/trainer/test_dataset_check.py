"""Every way in which a data set can be wrong: the reason, and a message that names the file and the line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.spec import Dataset, DatasetFormat
from modelyard_trainer.dataset.check import check_dataset
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from PIL import Image

from examples.folders import write_checksums
from tests.unit.trainer.datasets import make_dataset


def check(folder: Path, layout: DatasetFormat = DatasetFormat.YOLO, fraction: float = 1.0) -> CheckedDataset:
    """Fetch and check the data set in `folder`, as a run does."""
    fetched = fetch(Dataset(path=str(folder)), Places(folder / ".scratch"), Progress(1, 1, 1), cpus=2)
    return check_dataset(fetched, layout, validation_split=0.2, fraction=fraction, seed=42, threads=2)


def label(text: str) -> Callable[[Path], None]:
    """Damage: the label file of the third picture holds `text`."""

    def damage(folder: Path) -> None:
        (folder / "labels" / "002.txt").write_text(text)

    return damage


def description(text: str) -> Callable[[Path], None]:
    """Damage: data.yaml holds `text`."""

    def damage(folder: Path) -> None:
        (folder / "data.yaml").write_text(text)

    return damage


def not_text(folder: Path) -> None:
    (folder / "labels" / "002.txt").write_bytes(b"\xff\xfe\x00")


def no_pictures(folder: Path) -> None:
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()
    (folder / "images" / "readme.md").write_text("nothing yet")


def cut_off(folder: Path) -> None:
    path = folder / "images" / "004.jpg"
    path.write_bytes(path.read_bytes()[:500])


def no_picture_at_all(folder: Path) -> None:
    (folder / "images" / "004.jpg").write_text("not a picture")


def an_animation(folder: Path) -> None:
    """Pillow reads it; OpenCV, by which training reads, may not."""
    Image.new("RGB", (40, 40)).save(folder / "images" / "004.jpg", format="GIF")


def tiny(folder: Path) -> None:
    Image.new("RGB", (5, 40)).save(folder / "images" / "004.jpg")


def one_picture(folder: Path) -> None:
    for path in sorted((folder / "images").iterdir())[1:]:
        path.unlink()


def empty_val(folder: Path) -> None:
    (folder / "val").mkdir()
    (folder / "val" / "notes.txt").write_text("later")
    description("train: images\nval: val\nnames: [cat, dog]\n")(folder)


def no_labels(folder: Path) -> None:
    shutil.rmtree(folder / "labels")


def two_bad_files(folder: Path) -> None:
    label("7 0.5 0.5 0.1 0.1\n")(folder)
    no_picture_at_all(folder)


@dataclass(frozen=True)
class Case:
    damage: Callable[[Path], None]
    reason: Reason
    message: str


BAD = {
    "no pictures": Case(no_pictures, Reason.DATASET_EMPTY, "holds no pictures"),
    "four values": Case(label("0 0.5 0.5 0.1\n"), Reason.LABEL_INVALID, "labels/002.txt, line 1: 4 values; 5 would be"),
    "a word": Case(label("0 0.5 0.5 0.1 0.1\n0 x 0.5 0.1 0.1\n"), Reason.LABEL_INVALID, "line 2: 'x' is not a number"),
    "not finite": Case(label("0 nan 0.5 0.1 0.1\n"), Reason.LABEL_INVALID, "line 1: 'nan' is not a finite number"),
    "class too high": Case(
        label("0 0.5 0.5 0.1 0.1\n\n2 0.5 0.5 0.1 0.1\n"),
        Reason.LABEL_INVALID,
        "labels/002.txt, line 3: class 2 is not one of the 2 classes of the data set (0 to 1)",
    ),
    "class negative": Case(label("-1 0.5 0.5 0.1 0.1\n"), Reason.LABEL_INVALID, "line 1: class -1 is not one of"),
    "class no integer": Case(label("0.5 0.5 0.5 0.1 0.1\n"), Reason.LABEL_INVALID, "line 1: class 0.5 is not one of"),
    "box outside": Case(
        label("0 0.95 0.5 0.2 0.1\n"), Reason.LABEL_INVALID, "labels/002.txt, line 1: the box is outside the picture"
    ),
    "pixels": Case(label("0 32 32 10 10\n"), Reason.LABEL_INVALID, "fractions of the picture would be right"),
    "no width": Case(label("0 0.5 0.5 0 0.1\n"), Reason.LABEL_INVALID, "line 1: width 0 and height 0.1; both must be"),
    "mixed kinds": Case(
        label("0 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.2 0.1 0.2 0.2\n"), Reason.LABEL_INVALID, "line 2: outlines and boxes are"
    ),
    "even outline": Case(label("0 0.1 0.1 0.2 0.1 0.2\n"), Reason.LABEL_INVALID, "line 1: 6 values"),
    "label not text": Case(
        not_text,
        Reason.LABEL_INVALID,
        "labels/002.txt is not a text file",
    ),
    "cut off": Case(cut_off, Reason.IMAGE_UNREADABLE, "images/004.jpg cannot be read: it is damaged"),
    "no picture": Case(
        no_picture_at_all, Reason.IMAGE_UNREADABLE, "images/004.jpg cannot be read: it is not a picture"
    ),
    "a GIF": Case(an_animation, Reason.IMAGE_UNREADABLE, "it is a picture of the format GIF; JPEG, PNG"),
    "tiny picture": Case(tiny, Reason.IMAGE_UNREADABLE, "images/004.jpg cannot be read: it has 5 x 40 pixels"),
    "one picture": Case(
        one_picture, Reason.SPLIT_EMPTY, "validationSplit 0.2 of 1 pictures leaves none for validation"
    ),
    "empty val": Case(empty_val, Reason.SPLIT_EMPTY, "data.yaml: `val` is val, and there are no pictures there"),
    "no labels": Case(no_labels, Reason.SPLIT_EMPTY, "none of the 8 training pictures has a labelled object"),
    "no data.yaml": Case(
        lambda folder: (folder / "data.yaml").unlink(), Reason.DATASET_INVALID, "the data set has no data.yaml"
    ),
    "data.yaml not YAML": Case(description("names: [cat"), Reason.DATASET_INVALID, "data.yaml: it is not YAML"),
    "data.yaml a bomb": Case(
        description("a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\n"),
        Reason.DATASET_INVALID,
        "an alias (*name) stands",
    ),
    "data.yaml a program": Case(
        description("names: !!python/object/apply:os.getcwd []\n"), Reason.DATASET_INVALID, "data.yaml: it is not YAML"
    ),
    "data.yaml a tower": Case(description("[" * 100_000), Reason.DATASET_INVALID, "data.yaml: it is nested too deeply"),
    "data.yaml a list": Case(description("- cat\n"), Reason.DATASET_INVALID, "data.yaml: it must be a mapping"),
    "no names": Case(
        description("train: images\n"), Reason.DATASET_INVALID, "data.yaml: `names` must list the classes"
    ),
    "gap in names": Case(
        description("train: images\nnames: {0: cat, 2: dog}\n"),
        Reason.DATASET_INVALID,
        "keys of `names` must be 0 to 1",
    ),
    "nc disagrees": Case(
        description("train: images\nnc: 3\nnames: [cat, dog]\n"),
        Reason.DATASET_INVALID,
        "`nc` is 3 but `names` lists 2",
    ),
    "place missing": Case(
        description("train: pictures\nnames: [cat, dog]\n"),
        Reason.DATASET_INVALID,
        "data.yaml: `train` is pictures, which is not in the data set",
    ),
    "place outside": Case(
        description("train: ../../../etc\nnames: [cat, dog]\n"), Reason.DATASET_INVALID, "which is not in the data set"
    ),
    "two bad files": Case(two_bad_files, Reason.LABEL_INVALID, "labels/002.txt, line 1: class 7"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_data_set_is_refused_with_file_and_line(case: Case, dataset_folder: Path) -> None:
    case.damage(dataset_folder)
    write_checksums(dataset_folder)

    with pytest.raises(RunError) as refused:
        check(dataset_folder)

    assert refused.value.reason is case.reason
    assert case.message in refused.value.message
    assert EXIT_CODES[case.reason] is ExitCode.USER_ERROR


def test_the_first_of_several_errors_says_how_many_more_there_are(dataset_folder: Path) -> None:
    two_bad_files(dataset_folder)
    write_checksums(dataset_folder)
    with pytest.raises(RunError, match=r"\(and 1 more files are wrong\)"):
        check(dataset_folder)


def test_a_file_that_changed_since_its_checksum_was_taken_is_refused(dataset_folder: Path) -> None:
    (dataset_folder / "labels" / "003.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    with pytest.raises(RunError, match=r"labels/003.txt has the SHA-256 .*, but SHA256SUMS says") as refused:
        check(dataset_folder)
    assert refused.value.reason is Reason.DATASET_CHECKSUM_MISMATCH


def test_a_file_that_is_listed_but_gone_is_refused(dataset_folder: Path) -> None:
    (dataset_folder / "images" / "003.jpg").unlink()
    with pytest.raises(RunError, match=r"images/003.jpg is listed in SHA256SUMS but is not in the data set"):
        check(dataset_folder)


def test_a_picture_that_the_list_does_not_have_is_refused(dataset_folder: Path) -> None:
    """From S3 it would not be fetched."""
    shutil.copy(dataset_folder / "images" / "003.jpg", dataset_folder / "images" / "new.jpg")
    (dataset_folder / "notes.md").write_text("nobody trains on this")
    with pytest.raises(RunError, match=r"images/new.jpg is not listed in SHA256SUMS") as refused:
        check(dataset_folder)
    assert refused.value.reason is Reason.DATASET_CHECKSUM_MISMATCH


def test_a_list_within_the_data_set_is_one_of_its_files(dataset_folder: Path) -> None:
    """`modelyard dataset push` lists it, and from S3 it is fetched."""
    (dataset_folder / "images" / "SHA256SUMS").write_text("of the pictures alone")
    write_checksums(dataset_folder)
    assert "images/SHA256SUMS" in (dataset_folder / "SHA256SUMS").read_text()
    assert len(check(dataset_folder).training) == 8


def test_checksums_that_lead_out_of_the_folder_are_refused(dataset_folder: Path) -> None:
    (dataset_folder / "SHA256SUMS").write_text(f"{'0' * 64}  ../../etc/passwd\n")
    with pytest.raises(RunError, match=r"SHA256SUMS, line 1: '../../etc/passwd' leads out"):
        check(dataset_folder)


def test_a_sound_data_set_is_taken_whole(dataset_folder: Path) -> None:
    data = check(dataset_folder)
    assert data.classes == ("cat", "dog")
    assert (len(data.training), len(data.validation)) == (8, 2)
    assert data.split_by_seed
    assert data.status().objects == 10
    assert data.training[0].width == 64
    assert not data.notices


def test_a_tenth_of_the_training_pictures_leaves_validation_alone(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "many", pictures=40)
    whole, part = check(folder), check(folder, fraction=0.25)
    assert [p.name for p in part.validation] == [p.name for p in whole.validation]
    assert len(part.training) == 8
    assert {p.name for p in part.training} <= {p.name for p in whole.training}


def test_splits_of_the_data_set_itself_are_kept(dataset_folder: Path) -> None:
    for side, numbers in (("train", range(8)), ("val", range(8, 10))):
        for kind, suffix in (("images", "jpg"), ("labels", "txt")):
            (dataset_folder / kind / side).mkdir()
            for number in numbers:
                name = f"{number:03d}.{suffix}"
                (dataset_folder / kind / name).rename(dataset_folder / kind / side / name)
    # As an exporter writes it, with the path of the machine where the data set was made.
    (dataset_folder / "data.yaml").write_text(
        "path: /home/somebody/dataset\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n"
    )
    write_checksums(dataset_folder)
    data = check(dataset_folder)
    assert not data.split_by_seed
    assert [p.name for p in data.validation] == ["images/val/008.jpg", "images/val/009.jpg"]
    assert len(data.training[0].objects) == 1


def test_repeated_lines_and_background_are_told(dataset_folder: Path) -> None:
    (dataset_folder / "labels" / "000.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n")
    (dataset_folder / "labels" / "001.txt").unlink()
    write_checksums(dataset_folder)
    data = check(dataset_folder)
    assert data.notices == (
        "1 label lines repeat a line of the same file and were left out",
        "1 pictures have no labelled object and count as background",
    )


def test_outlines_become_boxes_and_are_kept(dataset_folder: Path) -> None:
    (dataset_folder / "labels" / "000.txt").write_text("1 0.25 0.25 0.75 0.25 0.75 0.5\n")
    write_checksums(dataset_folder)
    data = check(dataset_folder)
    picture = next(p for p in data.pictures if p.name == "images/000.jpg")
    assert picture.objects.boxes.tolist() == [[0.5, 0.375, 0.5, 0.25]]
    assert picture.objects.polygons[0].shape == (3, 2)


def test_a_turned_photograph_has_its_upright_size(dataset_folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 40)).save(dataset_folder / "images" / "000.jpg", exif=exif)
    write_checksums(dataset_folder)
    picture = next(p for p in check(dataset_folder).pictures if p.name == "images/000.jpg")
    assert (picture.width, picture.height) == (40, 100)


def coco(folder: Path, **changes: object) -> Path:
    """The same pictures as a COCO data set."""
    shutil.rmtree(folder / "labels")
    (folder / "data.yaml").unlink()
    (folder / "annotations").mkdir()
    content: dict[str, object] = {
        "images": [{"id": n, "file_name": f"{n:03d}.jpg", "width": 64, "height": 64} for n in range(10)],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 17 + n % 2, "bbox": [8, 16, 32, 16], "iscrowd": 0}
            for n in range(10)
        ],
    }
    (folder / "annotations" / "instances.json").write_text(json.dumps(content | changes))
    write_checksums(folder)
    return folder


def test_coco_is_read_with_its_gaps_in_category_ids(dataset_folder: Path) -> None:
    data = check(coco(dataset_folder), DatasetFormat.COCO)
    assert data.classes == ("cat", "dog")
    assert (len(data.training), len(data.validation)) == (8, 2)
    picture = next(p for p in data.pictures if p.name == "images/001.jpg")
    assert picture.objects.classes.tolist() == [1]
    assert picture.objects.boxes.tolist() == [[0.375, 0.375, 0.5, 0.25]]


BAD_COCO = {
    "outside": (
        {"id": 5, "image_id": 0, "category_id": 17, "bbox": [60, 0, 20, 10]},
        "annotations/instances.json, annotation 5: the box [60.0, 0.0, 20.0, 10.0] is outside the picture of 64 x 64",
    ),
    "no such picture": (
        {"id": 5, "image_id": 77, "category_id": 17, "bbox": [0, 0, 9, 9]},
        "annotation 5: image_id 77 is not one of `images`",
    ),
    "no such class": (
        {"id": 5, "image_id": 0, "category_id": 1, "bbox": [0, 0, 9, 9]},
        "annotation 5: category_id 1 is not one of `categories`",
    ),
    "no box": ({"id": 5, "image_id": 0, "category_id": 17}, "annotation 5: `bbox` must be [left, top, width, height]"),
}


@pytest.mark.parametrize(("annotation", "message"), BAD_COCO.values(), ids=BAD_COCO.keys())
def test_a_bad_coco_annotation_is_refused(annotation: dict[str, object], message: str, dataset_folder: Path) -> None:
    with pytest.raises(RunError) as refused:
        check(coco(dataset_folder, annotations=[annotation]), DatasetFormat.COCO)
    assert refused.value.reason is Reason.LABEL_INVALID
    assert message in refused.value.message


@pytest.mark.parametrize("annotation", ["cat", {"id": 5, "image_id": [0], "category_id": 17, "bbox": [0, 0, 9, 9]}])
def test_a_coco_annotation_of_another_kind_is_the_datas_fault(annotation: object, dataset_folder: Path) -> None:
    folder = coco(dataset_folder)
    file = folder / "annotations" / "instances.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": [annotation]}))
    write_checksums(folder)
    with pytest.raises(RunError, match=r"annotations/instances.json") as refused:
        check(folder, DatasetFormat.COCO)
    assert refused.value.reason is Reason.LABEL_INVALID


def test_a_split_that_names_a_picture_for_a_list_is_refused(dataset_folder: Path) -> None:
    (dataset_folder / "data.yaml").write_text("names: [cat, dog]\ntrain: images/000.jpg\n")
    write_checksums(dataset_folder)
    with pytest.raises(RunError, match=r"images/000.jpg is not a text file") as refused:
        check(dataset_folder)
    assert refused.value.reason is Reason.DATASET_INVALID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"images": [\n', ", line 3: not JSON"),
        ("[" * 100_000, ": nested too deeply"),
        (f'{{"images": [{"9" * 5000}]}}', ": it holds a number of thousands of digits"),
    ],
)
def test_coco_that_cannot_be_read_says_where_and_why(dataset_folder: Path, text: str, said: str) -> None:
    folder = coco(dataset_folder)
    (folder / "annotations" / "instances.json").write_text(text)
    write_checksums(folder)
    with pytest.raises(RunError, match=f"annotations/instances.json{said}"):
        check(folder, DatasetFormat.COCO)


def test_coco_outlines_are_kept_where_every_object_has_one(dataset_folder: Path) -> None:
    square = [[8, 16, 40, 16, 40, 32, 8, 32]]
    whole = {"id": 1, "image_id": 0, "category_id": 17, "bbox": [8, 16, 32, 16], "segmentation": square}
    parted = {"id": 2, "image_id": 1, "category_id": 17, "bbox": [8, 16, 32, 16], "segmentation": square * 2}
    rest = [{"id": n, "image_id": n, "category_id": 17, "bbox": [8, 16, 32, 16]} for n in range(2, 10)]
    data = check(coco(dataset_folder, annotations=[whole, parted, *rest]), DatasetFormat.COCO)
    outlines = {picture.name: picture.objects.polygons for picture in data.pictures}
    assert outlines["images/000.jpg"][0].tolist() == [[0.125, 0.25], [0.625, 0.25], [0.625, 0.5], [0.125, 0.5]]
    assert outlines["images/001.jpg"] == outlines["images/002.jpg"] == ()


def test_a_picture_that_there_is_no_memory_to_decode_is_not_taken_for_a_damaged_one(
    dataset_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(_path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", too_large)
    with pytest.raises(MemoryError):
        check(dataset_folder)
