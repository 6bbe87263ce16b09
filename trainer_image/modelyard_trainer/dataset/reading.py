"""Reading every picture of a data set once, before any model is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from modelyard_api.outcome import Reason

from modelyard_trainer.dataset.images import picture_size
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.errors import RunError

Tell = Callable[[int, int], None]
"""Hears how many pictures of how many are checked."""
Reader = Callable[[int, int], tuple[Objects, int]]
"""Finds a picture's objects, and how many lines repeat one, once its width and height are known."""
_TELL_EVERY = 100


@dataclass(frozen=True)
class Unchecked:
    """A picture and how its objects are found."""

    name: str
    objects: Reader


@dataclass(frozen=True)
class Checked:
    """A picture that is sound, or what is wrong with it."""

    picture: Picture | None
    error: RunError | None = None
    repeated: int = 0


def nobody(_done: int, _of: int) -> None:
    """Hears it and does nothing."""


def whole(number: int) -> Reader:
    """All of a picture shows one object, of this class."""
    objects = Objects(np.array([number], np.int64), np.array([[0.5, 0.5, 1, 1]], np.float32))
    return lambda _width, _height: (objects, 0)


def check_all(folder: Path, unchecked: Sequence[Unchecked], threads: int, tell: Tell = nobody) -> list[Checked]:
    """Decode every picture and find its objects.

    Raises:
        RunError: the first that is wrong, in the order given, and how many more there are.
    """
    done: list[Checked] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for each in pool.map(lambda one: _check_one(folder, one), unchecked):
            done.append(each)
            if len(done) % _TELL_EVERY == 0 or len(done) == len(unchecked):
                tell(len(done), len(unchecked))
    errors = [each.error for each in done if each.error is not None]
    if errors:
        more = f" (and {len(errors) - 1} more files are wrong)" if len(errors) > 1 else ""
        raise RunError(errors[0].reason, f"{errors[0].message}{more}")
    return done


def _check_one(folder: Path, unchecked: Unchecked) -> Checked:
    path = folder / unchecked.name
    try:
        width, height = picture_size(path)
    except ValueError as error:
        return Checked(None, RunError(Reason.IMAGE_UNREADABLE, f"{unchecked.name} cannot be read: {error}"))
    try:
        objects, repeated = unchecked.objects(width, height)
    except RunError as error:
        return Checked(None, error)
    return Checked(Picture(unchecked.name, path, width, height, objects), repeated=repeated)
