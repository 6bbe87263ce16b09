"""Where the pictures and labels of a YOLO data set lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.description import SPLITS, Description, read_description
from modelyard_trainer.dataset.images import SUFFIXES
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import files_below

_IMAGES, _LABELS = "images", "labels"


@dataclass(frozen=True)
class YoloLayout:
    """The pictures of each split, as paths below the data set's folder, and what else was noticed.

    `splits` has those of `train`, `val` and `test` that the data set has: `train` always where it is needed.
    """

    description: Description
    splits: dict[str, tuple[str, ...]]
    notices: list[str] = field(default_factory=list)


def read_layout(folder: Path, mode: Mode = Mode.TRAIN) -> YoloLayout:
    """Find the pictures that data.yaml names, or those below images/ where it names none.

    Raises:
        RunError: DatasetInvalid (a place that data.yaml names is not there), DatasetEmpty (no pictures) or SplitEmpty.
    """
    description = read_description(folder)
    places = dict(description.splits) or _conventional(folder, mode)
    if "train" not in places and mode is Mode.TRAIN:
        raise RunError(Reason.DATASET_INVALID, f"{description.file}: `train` must say where the training pictures are")
    splits = {key: _pictures(folder, description, key, places[key]) for key in SPLITS if key in places}
    if not any(splits.values()):
        raise RunError(
            Reason.DATASET_EMPTY,
            f"the data set holds no pictures ({', '.join(sorted(SUFFIXES))}) in {', '.join(sum(places.values(), ()))}",
        )
    for key, pictures in splits.items():
        if not pictures:
            raise RunError(
                Reason.SPLIT_EMPTY,
                f"{description.file}: `{key}` is {', '.join(places[key])}, and there are no pictures there; leave it "
                "out, or put some there",
            )
    notices = []
    twice = set(splits.get("train", ())) & set(splits.get("val", ()))
    if twice:
        notices.append(f"{len(twice)} pictures are in `train` and in `val`, such as {min(twice)}")
    return YoloLayout(description, splits, notices)


def label_of(picture: str) -> str:
    """Path of a picture's label file: `images` becomes `labels`, the suffix .txt; beside it where no `images` is."""
    parts = list(PurePosixPath(picture).with_suffix(".txt").parts)
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] == _IMAGES:
            parts[position] = _LABELS
            break
    return str(PurePosixPath(*parts))


def _conventional(folder: Path, mode: Mode) -> dict[str, tuple[str, ...]]:
    """images/train, images/val and images/test where they are there, images/ otherwise."""
    there: dict[str, tuple[str, ...]] = {
        key: (f"{_IMAGES}/{key}",) for key in SPLITS if (folder / _IMAGES / key).is_dir()
    }
    if "train" in there or (there and mode is not Mode.TRAIN):
        return there
    return {"train": (_IMAGES,)}


def _pictures(folder: Path, description: Description, key: str, places: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    for place in places:
        path = _find(folder, description, place)
        if path is None:
            raise RunError(
                Reason.DATASET_INVALID,
                f"{description.file}: `{key}` is {place}, which is not in the data set; a folder in it would be right",
            )
        listed = _listed(path, folder) if path.is_file() else list(files_below(path))
        found.update(each.relative_to(folder).as_posix() for each in listed if each.suffix.lower() in SUFFIXES)
    return tuple(sorted(found))


def _find(folder: Path, description: Description, place: str) -> Path | None:
    """A place as data.yaml means it: below `path`, below the folder, or beside it as some tools write (`../train`).

    `path` is most often a folder of the machine where the data set was made, and then means nothing here.
    """
    relative = place.removeprefix("../").removeprefix("./").lstrip("/")
    for base in filter(None, (description.path, ".")):
        candidate = (folder / base.lstrip("/") / relative).resolve()
        if candidate.exists() and candidate.is_relative_to(folder.resolve()):
            return folder / candidate.relative_to(folder.resolve())
    return None


def _listed(listing: Path, folder: Path) -> list[Path]:
    """The pictures that a text file lists, one a line, relative to the data set's folder or to the file itself."""
    found = []
    try:
        text = listing.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{listing.relative_to(folder).as_posix()} is not a text file; a folder or a list would be right",
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        relative = line.strip().removeprefix("./")
        path = next((base / relative for base in (folder, listing.parent) if (base / relative).is_file()), None)
        if path is None or not path.resolve().is_relative_to(folder.resolve()):
            raise RunError(
                Reason.DATASET_INVALID,
                f"{listing.relative_to(folder).as_posix()}, line {number}: {line.strip()} is not in the data set",
            )
        found.append(path)
    return found
