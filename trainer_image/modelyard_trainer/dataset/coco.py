"""COCO data sets: one JSON file for all pictures, or one for each split."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from numpy.typing import NDArray

from modelyard_trainer.dataset.json_text import parse_json
from modelyard_trainer.dataset.model import Objects
from modelyard_trainer.dataset.reading import Reader
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import is_below

_NONE = -1
_FEWEST_VALUES = 6
"""Of a polygon: three points."""
_SPLIT_WORDS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class _Annotated:
    """One object. `box` is [left, top, width, height] in pixels; `outline` x and y in turn, in pixels."""

    where: str
    class_id: int
    box: list[float]
    outline: list[float] | None

    def outline_in(self, width: int, height: int) -> NDArray[np.float32] | None:
        """The outline as (points, 2) fractions of the picture."""
        if self.outline is None:
            return None
        points: NDArray[np.float32] = np.array(self.outline, np.float32).reshape(-1, 2)
        return np.clip(points / np.array([width, height], np.float32), 0, 1)


@dataclass(frozen=True)
class CocoDataset:
    """What the JSON files say. Boxes stay in pixels until the size of the picture itself is known."""

    classes: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]
    names: tuple[str, ...]
    objects: Mapping[str, list[_Annotated]]
    """Picture to what is in it."""
    notices: tuple[str, ...] = ()

    def reader(self, name: str) -> Reader:
        """How the objects of picture `name` are made from its width and height."""

        def read(width: int, height: int) -> tuple[Objects, int]:
            entries = self.objects.get(name, [])
            kept: dict[tuple[float, ...], NDArray[np.float32] | None] = {}
            for each in entries:
                row = (each.class_id, *_fractions(each.box, width, height, each.where))
                kept[row] = each.outline_in(width, height)
            rows = np.array(list(kept), np.float64).reshape(-1, 5)
            outlines = [outline for outline in kept.values() if outline is not None]
            objects = Objects(
                rows[:, 0].astype(np.int64),
                rows[:, 1:].astype(np.float32),
                # ultralytics takes outlines for all objects of a picture or for none.
                tuple(outlines) if len(outlines) == len(kept) else (),
            )
            return objects, len(entries) - len(kept)

        return read


def read_coco(folder: Path, mode: Mode = Mode.TRAIN) -> CocoDataset:
    """Read the annotation files of the data set in `folder`: annotations/*.json, or *.json beside the pictures.

    A file whose name says train, val or test is that split. A single file is the whole data set, unless nothing is
    trained and its name says val or test.

    Raises:
        RunError: DatasetInvalid, DatasetEmpty, LabelInvalid; the message names the file and the annotation.
    """
    files = _annotation_files(folder, mode)
    contents = {split: _load(folder, file) for split, file in files.items()}
    classes = _categories(contents, files, folder)
    splits: dict[str, tuple[str, ...]] = {}
    objects: dict[str, list[_Annotated]] = defaultdict(list)
    crowds = 0
    for split, content in contents.items():
        file = files[split].relative_to(folder).as_posix()
        pictures = _pictures(folder, content, split, file)
        splits[split] = tuple(sorted(pictures.values()))
        for annotation in content.get("annotations", []):
            if not isinstance(annotation, dict):
                raise RunError(Reason.LABEL_INVALID, f"{file}: each of `annotations` must be a map, not {annotation!r}")
            if annotation.get("iscrowd"):
                crowds += 1
                continue
            picture, entry = _annotation(annotation, pictures, classes, file)
            objects[picture].append(entry)
    if ("train" not in splits and mode is Mode.TRAIN) or not splits.get("train", ("",)):
        raise RunError(Reason.DATASET_EMPTY, f"{', '.join(sorted(f.name for f in files.values()))} list no pictures")
    if "val" in splits and not splits["val"]:
        raise RunError(Reason.SPLIT_EMPTY, f"{files['val'].name} lists no pictures; leave it out, or fill it")
    names = tuple(sorted({name for pictures in splits.values() for name in pictures}))
    notices = (f"{crowds} annotations of crowds were left out",) if crowds else ()
    return CocoDataset(tuple(name for _, name in sorted(classes.values())), splits, names, objects, notices)


def _annotation_files(folder: Path, mode: Mode) -> dict[str, Path]:
    found = sorted((folder / "annotations").glob("*.json")) or sorted(folder.glob("*.json"))
    if not found:
        raise RunError(Reason.DATASET_INVALID, "the data set has no annotations/*.json, which a COCO data set needs")
    if len(found) == 1:
        named = None if mode is Mode.TRAIN else _split_of(found[0])
        return {named or "train": found[0]}
    files: dict[str, Path] = {}
    for file in found:
        split = _split_of(file)
        if split is None or split in files:
            raise RunError(
                Reason.DATASET_INVALID,
                f"{file.relative_to(folder).as_posix()}: with several annotation files, each name must say train, val "
                "or test, and each only once",
            )
        files[split] = file
    return files


def _split_of(file: Path) -> str | None:
    return next((s for s, words in _SPLIT_WORDS.items() if any(word in file.stem.lower() for word in words)), None)


def _load(folder: Path, file: Path) -> dict[str, Any]:
    name = file.relative_to(folder).as_posix()
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RunError(Reason.LABEL_INVALID, f"{name}: not UTF-8 text") from error
    content = parse_json(text, name, Reason.LABEL_INVALID)
    if (
        not isinstance(content, dict)
        or not all(isinstance(content.get(key), list) for key in ("images", "categories"))
        or not isinstance(content.get("annotations", []), list)
    ):
        raise RunError(Reason.DATASET_INVALID, f"{name}: it must have the lists `images`, `annotations`, `categories`")
    return content


def _categories(
    contents: Mapping[str, dict[str, Any]], files: Mapping[str, Path], folder: Path
) -> dict[int, tuple[int, str]]:
    """COCO's category id to (class counted from 0, name). COCO's ids have gaps."""
    first: dict[int, str] | None = None
    for split, content in contents.items():
        try:
            named = {int(each["id"]): str(each["name"]) for each in content["categories"]}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                Reason.DATASET_INVALID,
                f"{files[split].relative_to(folder).as_posix()}: each of `categories` must have `id` and `name`",
            ) from error
        if first is not None and named != first:
            raise RunError(
                Reason.DATASET_INVALID,
                f"{files[split].relative_to(folder).as_posix()}: `categories` must be the same in all files",
            )
        first = named
    if not first:
        raise RunError(Reason.DATASET_INVALID, "`categories` is empty; it must name at least one class")
    return {category: (number, first[category]) for number, category in enumerate(sorted(first))}


def _pictures(folder: Path, content: dict[str, Any], split: str, file: str) -> dict[int, str]:
    """Picture id to path below the folder."""
    pictures: dict[int, str] = {}
    for entry in content["images"]:
        try:
            number, name = int(entry["id"]), str(entry["file_name"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                Reason.DATASET_INVALID, f"{file}: each of `images` must have `id` and `file_name`"
            ) from error
        if not is_below(name):
            raise RunError(Reason.DATASET_INVALID, f"{file}: `file_name` {name!r} leads out of the data set")
        stem = Path(file).stem.removeprefix("instances_")
        bases = ("", f"images/{split}/", f"images/{stem}/", "images/", f"{split}/", f"{stem}/")
        path = next((f"{base}{name}" for base in bases if (folder / base / name).is_file()), None)
        if path is None:
            raise RunError(Reason.DATASET_INVALID, f"{file}: picture {name} is not in the data set")
        pictures[number] = path
    return pictures


def _annotation(
    annotation: dict[str, Any], pictures: Mapping[int, str], classes: Mapping[int, tuple[int, str]], file: str
) -> tuple[str, _Annotated]:
    number = annotation.get("id", "?")
    where = f"{file}, annotation {number}"
    picture, category = annotation.get("image_id", _NONE), annotation.get("category_id", _NONE)
    box = annotation.get("bbox")
    if not _finite(picture) or picture not in pictures:
        raise RunError(Reason.LABEL_INVALID, f"{where}: image_id {picture} is not one of `images`")
    if not _finite(category) or category not in classes:
        raise RunError(Reason.LABEL_INVALID, f"{where}: category_id {category} is not one of `categories`")
    if not isinstance(box, list) or len(box) != 4 or not all(_finite(value) for value in box):
        raise RunError(Reason.LABEL_INVALID, f"{where}: `bbox` must be [left, top, width, height] in pixels")
    return pictures[picture], _Annotated(
        where, classes[category][0], [float(value) for value in box], _outline(annotation.get("segmentation"))
    )


def _outline(segmentation: object) -> list[float] | None:
    """A segmentation of one polygon; objects in several parts, and masks, have no one outline."""
    if not isinstance(segmentation, list) or len(segmentation) != 1 or not isinstance(segmentation[0], list):
        return None
    points = segmentation[0]
    right = len(points) >= _FEWEST_VALUES and len(points) % 2 == 0 and all(_finite(value) for value in points)
    return [float(value) for value in points] if right else None


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fractions(box: list[float], width: int, height: int, where: str) -> tuple[float, float, float, float]:
    left, top, w, h = box
    if w <= 0 or h <= 0:
        raise RunError(Reason.LABEL_INVALID, f"{where}: width {w:g} and height {h:g}; both must be above 0")
    if left < -1 or top < -1 or left + w > width + 1 or top + h > height + 1:
        raise RunError(
            Reason.LABEL_INVALID,
            f"{where}: the box {box} is outside the picture of {width} x {height} pixels",
        )
    return (left + w / 2) / width, (top + h / 2) / height, w / width, h / height
