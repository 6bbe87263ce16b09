"""Everything that can be wrong with pictures of identities, found before any model is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from modelyard_api.face_id import FaceId
from modelyard_api.model import Mode
from modelyard_api.outcome import Reason
from modelyard_api.spec import Dataset

from modelyard_trainer.dataset.image_folder import read_image_folder
from modelyard_trainer.dataset.labelled import SIDES, Labelled, untrained
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.dataset.reading import Tell, Unchecked, check_all, nobody, whole
from modelyard_trainer.dataset.split import at_most, for_mode, is_by_seed, lowest, parted, share_of, told_of_split
from modelyard_trainer.errors import RunError

_FEWEST = 2
"""Identities that there must be to tell apart, and of which pairs can be made."""
Names = list[str]


def check_identities(
    fetched: FetchedDataset,
    dataset: Dataset,
    block: FaceId,
    *,
    seed: int,
    threads: int,
    tell: Tell = nobody,
    mode: Mode = Mode.TRAIN,
    known: Sequence[str] | None = None,
) -> CheckedDataset:
    """Read every picture of image folders with one for each identity, and split them.

    Identities with too few pictures are left out, some are held out whole, and of each of the others a share of the
    pictures is set aside for validation, unless the data set says which. Only pictures that are used are opened.

    `known` are the identities of weights that are measured or exported: all others in the data set are held out.

    Raises:
        RunError: the first thing that is wrong, and how many more there are.
    """
    found = read_image_folder(fetched.folder, mode)
    counts = Counter(each.label for each in found.pictures)
    enough = sorted(name for name, count in counts.items() if count >= block.min_images_per_identity)
    if mode is Mode.TRAIN:
        _check_number(enough, block)
    if known is None:
        held_out = _held_out(enough, block, seed)
        classes = tuple(name for name in enough if name not in held_out)
    else:
        held_out, classes = tuple(name for name in enough if name not in known), tuple(known)
    if mode is Mode.TRAIN and len(classes) < _FEWEST:
        raise RunError(
            Reason.DATASET_INVALID,
            f"{_having(enough, block)}, of which {len(held_out)} are held out; at least {_FEWEST} to train on would "
            "be right",
        )
    there = [each for each in found.pictures if each.label in classes and each.label in enough]
    sides = for_mode(_sides(there, found.sides, dataset.validation_split, seed), mode)
    split = [told_of_split(len(sides["val"]), len(there), seed)] if found.sides is None and there else []
    if not sides["val"] and not (mode is Mode.EVALUATE and held_out):
        raise RunError(
            Reason.SPLIT_EMPTY,
            f"none of the {len({each.label for each in there})} identities has a second picture to validate on; more "
            "pictures of each would be right",
        )
    sides["train"] = share_of(dataset.fraction, sides["train"], seed) if sides["train"] else []
    sides = {side: at_most(dataset.limit, names, seed) for side, names in sides.items()}
    apart = at_most(dataset.limit, sorted(each.name for each in found.pictures if each.label in held_out), seed)

    labels = {each.name: each.label for each in found.pictures}
    numbers = {name: number for group in (classes, held_out) for number, name in enumerate(group)}
    used = [name for names in (*(sides[side] for side in SIDES), apart) for name in names]
    unchecked = [Unchecked(name, whole(numbers[labels[name]])) for name in used]
    checked = check_all(fetched.folder, unchecked, threads, tell)
    pictures = {each.picture.name: each.picture for each in checked if each.picture is not None}
    return CheckedDataset(
        classes=classes,
        training=tuple(pictures[name] for name in sides["train"]),
        validation=tuple(pictures[name] for name in sides["val"]),
        test=tuple(pictures[name] for name in sides["test"]),
        digest=fetched.digest,
        split_by_seed=is_by_seed(found.sides and set(found.sides.values())),
        notices=(
            *(split if mode is Mode.EVALUATE else ()),
            *_left_out(counts, enough, block),
            *(
                untrained("identities", classes, {labels[name] for name in sides["train"]})
                if mode is Mode.TRAIN
                else ()
            ),
        ),
        held_out=tuple(pictures[name] for name in apart),
        held_out_classes=held_out,
    )


def _check_number(enough: Names, block: FaceId) -> None:
    if block.num_classes is not None and block.num_classes != len(enough):
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.faceId.numClasses is {block.num_classes}, but {_having(enough, block)}; {len(enough)} would be "
            "right",
        )


def _having(enough: Names, block: FaceId) -> str:
    least = block.min_images_per_identity
    noun = "identity" if len(enough) == 1 else "identities"
    return f"the data set has {len(enough)} {noun}{f' with at least {least} pictures' if least > 1 else ''}"


def _held_out(enough: Names, block: FaceId, seed: int) -> tuple[str, ...]:
    """The identities that training never sees: those whose hash with the seed is smallest."""
    asked = block.held_out_identities
    if asked is None:
        return ()
    count = asked.count if asked.count is not None else max(_FEWEST, round(len(enough) * (asked.share or 0)))
    return tuple(sorted(lowest(enough, count, seed, salt="identity")))


def _sides(
    pictures: Iterable[Labelled], given: Mapping[str, str] | None, share: float, seed: int
) -> dict[str, list[str]]:
    """The names on each side, sorted."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    identities: dict[str, Names] = {}
    for each in pictures:
        side = given[each.name] if given else "train"
        sides[side].append(each.name)
        if side == "train":
            identities.setdefault(each.label, []).append(each.name)
    if not sides["val"]:
        chosen = {name for names in identities.values() for name in _set_aside(names, share, seed)}
        sides["val"], sides["train"] = parted(sides["train"], chosen)
    return {side: sorted(names) for side, names in sides.items()}


def _set_aside(names: Names, share: float, seed: int) -> Names:
    """The share of an identity's pictures to validate on: at least one, and one is left, where it has two."""
    count = min(max(1, round(len(names) * share)), len(names) - 1)
    return lowest(names, count, seed, salt="validation")


def _left_out(counts: Mapping[str, int], enough: Names, block: FaceId) -> Iterable[str]:
    left_out = sum(count for name, count in counts.items() if name not in enough)
    if left_out:
        yield (
            f"{len(counts) - len(enough)} of {len(counts)} identities have fewer than "
            f"{block.min_images_per_identity} pictures and were left out, {left_out} pictures in all"
        )
