"""Persons seen by cameras, as Market-1501 and DukeMTMC-reID lay them out: what their folders and file names say.

A file is named `<person>_c<camera>...`: `0001_c1s1_000151_01.jpg` in Market-1501 (Zheng et al., ICCV 2015),
`0001_c1_f0046182.jpg` in DukeMTMC-reID (Zheng et al., ICCV 2017). Person -1 is junk, which is ignored; person 0 is a
distractor, which nobody looks for and everybody may be mistaken for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
_SIDES = (TRAIN, QUERY, GALLERY)
JUNK, DISTRACTOR = -1, 0
_NAME = re.compile(r"(?P<person>-1|\d{1,9})_c(?P<camera>\d{1,4})(s\d+)?(_.*)?")
_EXAMPLE = "0001_c1s1_000151_01.jpg (person 1, camera 1)"


@dataclass(frozen=True)
class Sighting:
    """A picture of a person, before it was opened.

    Attributes:
        name: its path below the data set's folder.
        person: by number; the same number in one source is the same person.
        camera: by number, within its source.
        source: the folder that it is from, as the spec names it.
    """

    name: str
    person: int
    camera: int
    source: str

    @property
    def who(self) -> tuple[str, int]:
        """What tells this person from all others."""
        return self.source, self.person


@dataclass(frozen=True)
class Source:
    """The pictures of one folder, by side, sorted; without junk."""

    name: str
    sides: Mapping[str, tuple[Sighting, ...]]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or "the data set"

    def side(self, side: str) -> tuple[Sighting, ...]:
        """The pictures of a side.

        Raises:
            RunError: SplitEmpty; there are none.
        """
        found = self.sides[side]
        if not found:
            raise RunError(
                Reason.SPLIT_EMPTY,
                f"{self.title} has no pictures of persons in {side}/; "
                f"{_below(self.name, side, _EXAMPLE)} would be right",
            )
        return found


def read_source(names: Sequence[str], name: str) -> Source:
    """What the file names below one folder of a data set say.

    The three sides lie in the folder itself, or in the one folder within it that has them, as Market-1501-v15.09.15
    does. What lies elsewhere, such as gt_bbox, is not looked at.

    Args:
        names: paths of all pictures below the data set's folder, sorted.
        name: the folder; empty for the data set's own.

    Raises:
        RunError: DatasetInvalid (no side is there, or several folders have them) or LabelInvalid (a name that says no
            person and no camera).
    """
    root = _root(names, name)
    sides: dict[str, list[Sighting]] = {side: [] for side in _SIDES}
    wrong: list[str] = []
    for each in names:
        path = PurePosixPath(each)
        side = path.parent.name
        if side not in sides or path.parent.parent != root:
            continue
        match = _NAME.fullmatch(path.stem)
        if match is None:
            wrong.append(each)
        elif int(match["person"]) != JUNK:
            sides[side].append(Sighting(each, int(match["person"]), int(match["camera"]), name))
    if wrong:
        more = f" (as for {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise RunError(
            Reason.LABEL_INVALID,
            f"{wrong[0]}: its name does not begin with a person and a camera; {_EXAMPLE} would be right{more}",
        )
    return Source(name, {side: tuple(found) for side, found in sides.items()})


def _root(names: Sequence[str], name: str) -> PurePosixPath:
    """The folder that has the three sides: `name` itself, or the only one within it that does."""
    wanted = PurePosixPath(name)
    roots = {path.parent.parent for path in map(PurePosixPath, names) if path.parent.name in _SIDES}
    within = sorted(root for root in roots if wanted in (root, root.parent))
    if wanted in within:
        return wanted
    if len(within) == 1:
        return within[0]
    if within:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{', '.join(map(str, within))} each have {TRAIN}/, {QUERY}/ or {GALLERY}/; naming those to use in "
            "spec.reid.sources would be right",
        )
    raise RunError(
        Reason.DATASET_INVALID,
        f"{name or 'the data set'} has no {TRAIN}/, {QUERY}/ or {GALLERY}/ with pictures; "
        f"{_below(name, TRAIN, _EXAMPLE)} would be right",
    )


def _below(name: str, *parts: str) -> str:
    return "/".join((*((name,) if name else ()), *parts))
