"""Everything that can be wrong with a classification data set, found before any model is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from modelyard_api.classification import Classification
from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.spec import Dataset, DatasetFormat

from modelyard_trainer.dataset.image_folder import read_image_folder
from modelyard_trainer.dataset.labelled import SIDES, Labelled, LabelledPictures, shown, untrained
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Objects, Picture
from modelyard_trainer.dataset.reading import Reader, Tell, Unchecked, check_all, nobody
from modelyard_trainer.dataset.split import (
    at_most,
    draw_of,
    for_mode,
    is_by_seed,
    lowest,
    parted,
    share_of,
    split_by_seed,
    told_of_split,
)
from modelyard_trainer.dataset.table import read_table
from modelyard_trainer.errors import RunError

_FEWEST_CLASSES = 2


def check_classification(
    fetched: FetchedDataset,
    dataset: Dataset,
    block: Classification,
    *,
    seed: int,
    threads: int,
    tell: Tell = nobody,
    mode: Mode = Mode.TRAIN,
    known: Sequence[str] | None = None,
) -> CheckedDataset:
    """Read every picture and label of a classification data set, and split it.

    Only pictures that the run's mode needs are opened. `known` are the classes of weights that are measured or
    exported: the data set need not show them all.

    Raises:
        RunError: the first thing that is wrong, and how many more there are.
    """
    if dataset.format is DatasetFormat.TABLE:
        assert block.table is not None  # noqa: S101 - a rule of the API
        found = read_table(fetched.folder, block.table)
    else:
        found = read_image_folder(fetched.folder, mode)
    classes = _classes(found, block.classes, known)
    ids = {name: number for number, name in enumerate(classes)}
    sides = _sides(found, dataset, block.test_split, seed, mode)
    notices = list(found.notices)
    if mode is Mode.EVALUATE and found.sides is None and dataset.format is not DatasetFormat.TABLE:
        notices.append(told_of_split(len(sides["val"]) + len(sides["test"]), len(found.pictures), seed))
    sides["train"] = share_of(dataset.fraction, sides["train"], seed) if sides["train"] else []
    sides = {side: at_most(dataset.limit, names, seed) for side, names in sides.items()}
    labelled = {each.name: each for each in found.pictures}
    counts = Counter(labelled[name].label for name in sides["train"])
    if mode is Mode.TRAIN and len(counts) < _FEWEST_CLASSES:
        raise RunError(
            Reason.DATASET_INVALID,
            f"the {len(sides['train'])} training pictures are all of the class {next(iter(counts))}; at least "
            "two classes would be right",
        )
    used = [name for side in SIDES for name in sides[side]]
    unchecked = [Unchecked(name, _object(labelled[name], ids[labelled[name].label])) for name in used]
    checked = check_all(fetched.folder, unchecked, threads, tell)
    pictures = {
        each.picture.name: _with_angle(each.picture, labelled[each.picture.name].angle)
        for each in checked
        if each.picture is not None
    }
    return CheckedDataset(
        classes=classes,
        training=tuple(pictures[name] for name in sides["train"]),
        validation=tuple(pictures[name] for name in sides["val"]),
        test=tuple(pictures[name] for name in sides["test"]),
        digest=fetched.digest,
        split_by_seed=is_by_seed(found.sides and set(found.sides.values())),
        notices=(*notices, *(untrained("classes", classes, counts) if mode is Mode.TRAIN else ())),
    )


def _classes(found: LabelledPictures, asked: Sequence[str], known: Sequence[str] | None) -> tuple[str, ...]:
    labels = sorted({each.label for each in found.pictures})
    if not asked and found.classes is None and known is not None:
        stranger = next((each for each in found.pictures if each.label not in known), None)
        if stranger is not None:
            raise RunError(
                Reason.WEIGHTS_DO_NOT_FIT,
                f"{stranger.where}: the weights know no class {stranger.label}; one of {shown(known)} would be right",
            )
        return tuple(known)
    if not asked:
        return found.classes or tuple(labels)
    if len(set(asked)) < len(asked):
        twice = next(name for name in asked if list(asked).count(name) > 1)
        raise RunError(Reason.SPEC_INVALID, f"spec.classification.classes: {twice} is there twice")
    if found.classes is not None:
        raise RunError(
            Reason.SPEC_INVALID,
            "spec.classification.classes: numbers and angles make classes by themselves; leave it out",
        )
    unknown = next((each for each in found.pictures if each.label not in asked), None)
    if unknown is not None:
        raise RunError(
            Reason.LABEL_INVALID,
            f"{unknown.where}: its label {unknown.label} is none of spec.classification.classes ({', '.join(asked)})",
        )
    return tuple(asked)


def _sides(found: LabelledPictures, dataset: Dataset, test_split: float, seed: int, mode: Mode) -> dict[str, list[str]]:
    """The names on each side, sorted."""
    names = sorted(each.name for each in found.pictures)
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    if dataset.format is DatasetFormat.TABLE:
        by_name = {each.name: each for each in found.pictures}
        for name in names:
            sides[_side(draw_of(by_name[name].group, seed), test_split, dataset.validation_split)].append(name)
    else:
        given = found.sides or {}
        for name in names:
            sides[given.get(name, "train")].append(name)
        if test_split and sides["train"] and not sides["test"]:
            chosen = set(lowest(sides["train"], round(len(sides["train"]) * test_split), seed, salt="test"))
            sides["test"], sides["train"] = parted(sides["train"], chosen)
        if sides["train"] and not sides["val"]:
            # Of what the test has left, so many that they are the wanted share of all.
            picked = split_by_seed(sides["train"], dataset.validation_split / (1 - test_split), seed)
            sides["val"], sides["train"] = parted(sides["train"], picked)
    sides = for_mode(sides, mode)
    wanted = {"train": mode is Mode.TRAIN, "val": True, "test": mode is Mode.TRAIN and test_split > 0}
    for side, names_there in sides.items():
        if wanted[side] and not names_there:
            raise RunError(
                Reason.SPLIT_EMPTY,
                f"none of the {len(names)} pictures is left for {_WORDS[side]}; more pictures, or another "
                f"{_SHARES[side]}, would be right",
            )
    return sides


_WORDS = {"train": "training", "val": "validation", "test": "the test"}
_SHARES = {
    "train": "spec.dataset.validationSplit",
    "val": "spec.dataset.validationSplit",
    "test": "spec.classification.testSplit",
}


def _side(draw: float, test: float, validation: float) -> str:
    if draw < test:
        return "test"
    return "val" if draw < test + validation else "train"


def _object(labelled: Labelled, number: int) -> Reader:
    """The one object of a picture."""

    def read(width: int, height: int) -> tuple[Objects, int]:
        left, top, right, bottom = labelled.box or (0, 0, width, height)
        left, top, right, bottom = max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)
        if right - left < 1 or bottom - top < 1:
            raise RunError(
                Reason.LABEL_INVALID,
                f"{labelled.where}: its region lies outside of {labelled.name}, which has {width} x {height} pixels",
            )
        box = [(left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height]
        return Objects(np.array([number], np.int64), np.array([box], np.float32)), 0

    return read


def _with_angle(picture: Picture, angle: float | None) -> Picture:
    if angle is None:
        return picture
    return Picture(picture.name, picture.path, picture.width, picture.height, picture.objects, angle)
