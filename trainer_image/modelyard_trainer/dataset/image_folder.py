"""Image folders: a folder for each class, below train/, val/ and test/ or in one tree."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.images import SUFFIXES
from modelyard_trainer.dataset.labelled import Labelled, LabelledPictures
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import files_below

_FOLDERS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""Names of folders that are sides of a split."""


def read_image_folder(folder: Path, mode: Mode = Mode.TRAIN) -> LabelledPictures:
    """The pictures of a data set whose folders say what they show.

    Raises:
        RunError: DatasetEmpty (no picture), DatasetInvalid (one that lies in no class's folder, a split without train/)
            or LabelInvalid (a class that train/ does not have).
    """
    names = [path.relative_to(folder).as_posix() for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    if not names:
        raise RunError(Reason.DATASET_EMPTY, f"the data set holds no pictures ({', '.join(sorted(SUFFIXES))})")
    split = {name for name in names if PurePosixPath(name).parts[0] in _FOLDERS}
    trained = any(_FOLDERS[PurePosixPath(name).parts[0]] == "train" for name in split)
    if split and not trained and mode is Mode.TRAIN:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{min(split)} is there, but nothing below train/; a train/ beside it would be right",
        )
    stray = sorted(set(names) - split) if split else []
    if stray:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{stray[0]} lies beside train/ and not below it; train/<class>/, val/<class>/ or test/<class>/ would be "
            f"right{f' (as for {len(stray) - 1} more)' if len(stray) > 1 else ''}",
        )
    pictures = [_labelled(name, depth=1 if split else 0) for name in names]
    if not split:
        return LabelledPictures(pictures)
    sides = {each.name: _FOLDERS[PurePosixPath(each.name).parts[0]] for each in pictures}
    if not trained:
        return LabelledPictures(pictures, sides=sides)
    known = sorted({each.label for each in pictures if sides[each.name] == "train"})
    unknown = next((each for each in pictures if each.label not in known), None)
    if unknown is not None:
        raise RunError(
            Reason.LABEL_INVALID,
            f"{unknown.name}: train/ has no class {unknown.label}; its classes are {_listed(known)}",
        )
    return LabelledPictures(pictures, sides=sides)


def _labelled(name: str, depth: int) -> Labelled:
    parts = PurePosixPath(name).parts
    if len(parts) < depth + 2:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{name} lies in no class's folder; {'/'.join((*parts[:depth], '<class>', parts[-1]))} would be right",
        )
    return Labelled(name, parts[depth], group=name, where=name)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
