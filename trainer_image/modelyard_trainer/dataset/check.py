"""Everything that can be wrong with a detection data set, found within seconds and before any model is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from modelyard_api.outcome import Reason
from modelyard_api.spec import DatasetFormat

from modelyard_trainer.dataset.coco import read_coco
from modelyard_trainer.dataset.labels import LabelError, parse_labels
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Objects, Picture
from modelyard_trainer.dataset.reading import Checked, Tell, Unchecked, check_all, nobody
from modelyard_trainer.dataset.split import at_most, share_of, split_by_seed
from modelyard_trainer.dataset.yolo import label_of, read_layout
from modelyard_trainer.errors import RunError


def check_dataset(
    fetched: FetchedDataset,
    layout: DatasetFormat,
    *,
    validation_split: float,
    fraction: float,
    limit: int | None = None,
    seed: int,
    threads: int,
    tell: Tell = nobody,
) -> CheckedDataset:
    """Read every picture and label of a detection data set, and split it.

    Raises:
        RunError: the first thing that is wrong, in the order of the files' names, and how many more there are.
    """
    folder = fetched.folder
    if layout is DatasetFormat.COCO:
        coco = read_coco(folder)
        classes, splits, notices = coco.classes, coco.splits, list(coco.notices)
        unchecked = {name: Unchecked(name, coco.reader(name)) for name in coco.names}
    else:
        yolo = read_layout(folder)
        classes, splits, notices = yolo.description.classes, yolo.splits, yolo.notices
        names = sorted(set().union(*splits.values()))
        unchecked = {name: Unchecked(name, _yolo_reader(folder, name, len(classes))) for name in names}
    checked = check_all(folder, list(unchecked.values()), threads, tell)
    pictures = {picture.name: picture for picture in (each.picture for each in checked) if picture is not None}
    notices += _notices(checked, pictures.values())
    training, validation = list(splits["train"]), list(splits.get("val", ()))
    if "val" not in splits:
        chosen = split_by_seed(training, validation_split, seed)
        training, validation = [n for n in training if n not in chosen], [n for n in training if n in chosen]
    training = share_of(fraction, training, seed)
    training, validation, test = (
        at_most(limit, names, seed) for names in (training, validation, list(splits.get("test", ())))
    )
    dataset = CheckedDataset(
        classes=classes,
        training=tuple(pictures[name] for name in training),
        validation=tuple(pictures[name] for name in validation),
        test=tuple(pictures[name] for name in test),
        digest=fetched.digest,
        split_by_seed="val" not in splits,
        notices=tuple(notices),
    )
    _check_objects(dataset)
    return dataset


def _yolo_reader(folder: Path, picture: str, classes: int) -> Callable[[int, int], tuple[Objects, int]]:
    label = label_of(picture)

    def read(width: int, height: int) -> tuple[Objects, int]:
        try:
            text = (folder / label).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return Objects.none(), 0  # a picture without a label file shows background, by YOLO's convention
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(Reason.LABEL_INVALID, f"{label} is not a text file: {error}") from error
        try:
            parsed = parse_labels(text, classes, width, height)
        except LabelError as error:
            raise RunError(Reason.LABEL_INVALID, f"{label}, line {error.line}: {error}") from error
        return parsed.objects, parsed.repeated

    return read


def _check_objects(dataset: CheckedDataset) -> None:
    for side, pictures in (("training", dataset.training), ("validation", dataset.validation)):
        if not any(len(picture.objects) for picture in pictures):
            raise RunError(
                Reason.SPLIT_EMPTY,
                f"none of the {len(pictures)} {side} pictures has a labelled object, such as {pictures[0].name}, whose "
                f"labels would be in {label_of(pictures[0].name)}",
            )


def _notices(checked: Iterable[Checked], pictures: Iterable[Picture]) -> list[str]:
    repeated = sum(each.repeated for each in checked)
    background = sum(1 for picture in pictures if not len(picture.objects))
    notices = []
    if repeated:
        notices.append(f"{repeated} label lines repeat a line of the same file and were left out")
    if background:
        notices.append(f"{background} pictures have no labelled object and count as background")
    return notices
