"""Everything that can be wrong with a re-identification data set, found before any model is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid
from modelyard_api.spec import Dataset
from numpy.typing import NDArray

from modelyard_trainer.dataset.images import SUFFIXES
from modelyard_trainer.dataset.market1501 import DISTRACTOR, GALLERY, QUERY, TRAIN, Sighting, Source, read_source
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset, Picture
from modelyard_trainer.dataset.reading import Tell, Unchecked, check_all, nobody, whole
from modelyard_trainer.dataset.split import lowest
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import files_below

_FEWEST_PERSONS = 2
_NOBODY = -1
"""The class of a person who is not trained on."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures of persons, n of them, with (n,) numbers of persons, cameras and sources.

    In training, persons count from 0 as the classes do, and cameras through all sources; in a target both have the
    numbers that its file names say, so that person 0 is a distractor.
    """

    pictures: tuple[Picture, ...]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    sources: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Target:
    """Who is looked for, and where."""

    name: str
    query: Seen
    gallery: Seen


@dataclass(frozen=True, eq=False, kw_only=True)
class ReidDataset(CheckedDataset):
    """Persons to train on, of which each is a class, and targets to measure on, which are the validation pictures."""

    seen: Seen
    """The training pictures again, and by whom they were seen: a camera has another number in each source."""
    targets: tuple[Target, ...]


def check_reid(
    fetched: FetchedDataset,
    dataset: Dataset,
    block: Reid,
    *,
    seed: int,
    threads: int,
    tell: Tell = nobody,
    mode: Mode = Mode.TRAIN,
) -> ReidDataset:
    """Read every name and every picture that is used: to measure, only those of the targets.

    Raises:
        RunError: the first thing that is wrong, and how many more there are.
    """
    folder = fetched.folder
    names = sorted(
        path.relative_to(folder).as_posix() for path in files_below(folder) if path.suffix.lower() in SUFFIXES
    )
    if not names:
        raise RunError(Reason.DATASET_EMPTY, f"the data set holds no pictures ({', '.join(sorted(SUFFIXES))})")
    asked_sources = tuple(dict.fromkeys(each.strip("/") for each in block.sources)) or ("",)
    asked_targets = tuple(dict.fromkeys(each.strip("/") for each in block.targets)) or asked_sources
    if mode is Mode.EVALUATE:
        asked_sources = asked_targets
    sources = {name: read_source(names, name) for name in dict.fromkeys((*asked_sources, *asked_targets))}

    notices: list[str] = []
    trained: list[Sighting] = []
    if mode is Mode.TRAIN or (mode is Mode.EXPORT and all(sources[name].sides[TRAIN] for name in asked_sources)):
        trained = _to_train_on(
            [sources[name] for name in asked_sources], [sources[name] for name in asked_targets], block, notices
        )
        trained = _some_persons(trained, dataset, seed)
    targets = [_limited(_target(sources[name], notices), dataset.limit, seed) for name in asked_targets]
    _tell_what_is_trained_and_measured(trained, targets, notices)

    persons = {who: number for number, who in enumerate(sorted({each.who for each in trained}))}
    if mode is Mode.TRAIN and len(persons) < _FEWEST_PERSONS:
        raise RunError(
            Reason.DATASET_INVALID,
            f"the {len(trained)} training pictures are all of the same person; at least two would be right",
        )
    used = [*trained, *(each for target in targets for each in (*target.query, *target.gallery))]
    labels = {each.name: persons.get(each.who, _NOBODY) for each in used}
    unchecked = [Unchecked(name, whole(label)) for name, label in labels.items()]
    checked = check_all(folder, unchecked, threads, tell)
    pictures = {each.picture.name: each.picture for each in checked if each.picture is not None}
    measured = tuple(_as_target(target, pictures) for target in targets)
    several = len({each.source for each in trained}) > 1
    return ReidDataset(
        classes=tuple(f"{source}/{person:04}" if several else f"{person:04}" for source, person in persons),
        training=tuple(pictures[each.name] for each in trained),
        validation=tuple(each for target in measured for each in (*target.query.pictures, *target.gallery.pictures)),
        test=(),
        digest=fetched.digest,
        split_by_seed=False,
        notices=tuple(notices),
        seen=_as_seen(trained, pictures),
        targets=measured,
    )


def _as_seen(sightings: Sequence[Sighting], pictures: Mapping[str, Picture]) -> Seen:
    """Persons, cameras and sources with numbers from 0 on: those of different sources are different ones."""
    return Seen(
        tuple(pictures[each.name] for each in sightings),
        _numbers([each.who for each in sightings]),
        _numbers([(each.source, each.camera) for each in sightings]),
        _numbers([each.source for each in sightings]),
    )


def _numbers(keys: Sequence[Any]) -> NDArray[np.int64]:
    numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([numbers[key] for key in keys], np.int64)


def _as_target(target: _Names, pictures: Mapping[str, Picture]) -> Target:
    def side(sightings: Sequence[Sighting]) -> Seen:
        return Seen(
            tuple(pictures[each.name] for each in sightings),
            np.array([each.person for each in sightings], np.int64),
            np.array([each.camera for each in sightings], np.int64),
            np.zeros(len(sightings), np.int64),
        )

    return Target(target.name, side(target.query), side(target.gallery))


@dataclass(frozen=True)
class _Names:
    """A target before its pictures were opened."""

    name: str
    query: tuple[Sighting, ...]
    gallery: tuple[Sighting, ...]


def _to_train_on(
    sources: Sequence[Source], targets: Sequence[Source], block: Reid, notices: list[str]
) -> list[Sighting]:
    found: list[Sighting] = []
    for source in sources:
        found += source.side(TRAIN)
        if block.combine_all:
            found += (*source.side(QUERY), *source.side(GALLERY))
    if block.load_train_targets:
        found += [each for target in targets if target not in sources for each in target.side(TRAIN)]
    persons = [each for each in found if each.person != DISTRACTOR]
    strangers = sum(each.person == DISTRACTOR for source in sources for each in source.sides[TRAIN])
    if strangers:
        notices.append(
            f"{strangers} pictures in {TRAIN}/ are of person 0, which stands for distractors, and were left out"
        )
    if not persons:
        raise RunError(
            Reason.SPLIT_EMPTY,
            f"all {len(found)} training pictures are of person 0, which stands for distractors; persons from 1 on "
            "would be right",
        )
    return persons


def _target(source: Source, notices: list[str]) -> _Names:
    """The pictures of a target.

    Raises:
        RunError: LabelInvalid; somebody is looked for who is not there.
    """
    query, gallery = source.side(QUERY), source.side(GALLERY)
    there = {each.person for each in gallery} - {DISTRACTOR}
    missing = [each for each in query if each.person not in there]
    if missing:
        first = missing[0]
        why = (
            "person 0 stands for distractors, whom nobody looks for"
            if first.person == DISTRACTOR
            else f"no picture in {GALLERY}/ is of person {first.person}"
        )
        more = f" (as for {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise RunError(
            Reason.LABEL_INVALID,
            f"{first.name}: {why}; a picture of the person by another camera in {GALLERY}/, or the query without this "
            f"one, would be right{more}",
        )
    alone = _alone(query, gallery)
    if len(alone) == len(query):
        raise RunError(
            Reason.SPLIT_EMPTY,
            f"{source.title}: every person of the {len(query)} queries was seen by the same camera only in {GALLERY}/, "
            "and such pictures do not count; pictures by other cameras would be right",
        )
    if alone:
        notices.append(
            f"{len(alone)} of {len(query)} queries of {source.title} do not count: no other camera saw the person "
            f"in {GALLERY}/, such as {alone[0].name}"
        )
    return _Names(source.name, query, gallery)


def _alone(query: Iterable[Sighting], gallery: Iterable[Sighting]) -> list[Sighting]:
    """The queries whose person no other camera saw."""
    cameras: dict[int, set[int]] = {}
    for each in gallery:
        cameras.setdefault(each.person, set()).add(each.camera)
    return [each for each in query if not cameras[each.person] - {each.camera}]


def _some_persons(trained: list[Sighting], dataset: Dataset, seed: int) -> list[Sighting]:
    """All pictures of as many persons as `fraction` and `limit` leave: half of a person's would teach less."""
    if dataset.fraction == 1 and dataset.limit is None:
        return trained
    by_person: dict[str, list[Sighting]] = {}
    for each in trained:
        by_person.setdefault("/".join(map(str, each.who)), []).append(each)
    wanted = max(_FEWEST_PERSONS, round(len(by_person) * dataset.fraction))
    chosen: set[str] = set()
    pictures = 0
    for who in lowest(list(by_person), wanted, seed, salt="persons"):
        pictures += len(by_person[who])
        if dataset.limit is None or pictures <= dataset.limit or len(chosen) < _FEWEST_PERSONS:
            chosen.add(who)
    return [each for each in trained if "/".join(map(str, each.who)) in chosen]


def _limited(target: _Names, limit: int | None, seed: int) -> _Names:
    """At most so many queries, and of the gallery the persons that they look for."""
    if limit is None or len(target.query) <= limit:
        return target
    chosen = set(lowest([each.name for each in target.query], limit, seed, salt="limit"))
    query = tuple(each for each in target.query if each.name in chosen)
    persons = {each.person for each in query}
    return _Names(target.name, query, tuple(each for each in target.gallery if each.person in persons))


def _tell_what_is_trained_and_measured(
    trained: Sequence[Sighting], targets: Sequence[_Names], notices: list[str]
) -> None:
    known = {each.who for each in trained}
    for target in targets:
        wanted = {each.who for each in target.query}
        if both := len(wanted & known):
            notices.append(
                f"{both} of {len(wanted)} persons of {target.name or 'the data set'} that are looked for are trained "
                "on, too: how well strangers are found again is not what is measured"
            )
