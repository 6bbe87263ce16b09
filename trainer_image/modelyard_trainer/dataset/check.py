"""Everything that can be wrong with a detection data set, found within seconds and before any model is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.spec import DatasetFormat

from modelyard_trainer.dataset.coco import read_coco
from modelyard_trainer.dataset.labels import LabelError, parse_labels
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Objects, Picture
from modelyard_trainer.dataset.reading import Checked, Reader, Tell, Unchecked, check_all, nobody
from modelyard_trainer.dataset.split import (
    at_most,
    for_mode,
    is_by_seed,
    parted,
    share_of,
    split_by_seed,
    told_of_split,
)
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
    mode: Mode = Mode.TRAIN,
) -> CheckedDataset:
    """Read every picture and label of a detection data set that the run's mode needs, and split it.

    Raises:
        RunError: the first thing that is wrong, in the order of the files' names, and how many more there are.
    """
    folder = fetched.folder
    if layout is DatasetFormat.COCO:
        coco = read_coco(folder, mode)
        classes, splits, notices = coco.classes, coco.splits, list(coco.notices)
        reader: Callable[[str], Reader] = coco.reader
    else:
        yolo = read_layout(folder, mode)
        classes, splits, notices = yolo.description.classes, yolo.splits, yolo.notices
        reader = partial(_yolo_reader, folder, classes=len(classes))
    by_seed = is_by_seed(splits)
    sides = for_mode(_with_validation(splits, validation_split, seed) if by_seed else splits, mode)
    if mode is Mode.EVALUATE and set(splits) == {"train"}:
        notices.append(told_of_split(len(sides["val"]), len(splits["train"]), seed))
    names = sorted(set().union(*sides.values()))
    checked = check_all(folder, [Unchecked(name, reader(name)) for name in names], threads, tell)
    pictures = {picture.name: picture for picture in (each.picture for each in checked) if picture is not None}
    notices += _notices(checked, pictures.values())
    sides["train"] = share_of(fraction, sides["train"], seed) if sides["train"] else []
    training, validation, test = (
        tuple(pictures[name] for name in at_most(limit, sides[side], seed)) for side in ("train", "val", "test")
    )
    _check_objects(
        {"training": training, "validation": validation} if mode is Mode.TRAIN else {"validation": validation}
    )
    return CheckedDataset(
        classes=classes,
        training=training,
        validation=validation,
        test=test,
        digest=fetched.digest,
        split_by_seed=by_seed,
        notices=tuple(notices),
    )


def _with_validation(splits: Mapping[str, Sequence[str]], share: float, seed: int) -> dict[str, Sequence[str]]:
    validation, training = parted(splits["train"], split_by_seed(splits["train"], share, seed))
    return {**splits, "train": training, "val": validation}


def _yolo_reader(folder: Path, picture: str, classes: int) -> Reader:
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


def _check_objects(sides: Mapping[str, Sequence[Picture]]) -> None:
    for side, pictures in sides.items():
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
