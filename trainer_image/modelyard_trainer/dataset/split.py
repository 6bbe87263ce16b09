"""Which pictures are set aside for validation: decided by seed and name alone, so it is the same on every machine."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Container, Mapping, Sequence

from modelyard_api.model import Mode
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError


def split_by_seed(names: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """The names to validate on: the `share` of them whose hash with `seed` is smallest.

    Neither the order of `names` nor what else is there matters to a name's rank, so adding a few pictures to a data
    set moves only a few between the two sides.

    Raises:
        RunError: SplitEmpty; one side would be left without a picture.
    """
    wanted = round(len(names) * share)
    if not 0 < wanted < len(names):
        side = "validation" if wanted == 0 else "training"
        raise RunError(
            Reason.SPLIT_EMPTY,
            f"spec.dataset.validationSplit {share:g} of {len(names)} pictures leaves none for {side}; "
            "more pictures or another share would be right",
        )
    return frozenset(lowest(names, wanted, seed, salt="validation"))


def lowest(names: Sequence[str], count: int, seed: int, *, salt: str) -> list[str]:
    """The `count` names whose hash is smallest. Another `salt` makes another, independent choice."""
    return sorted(names, key=lambda name: _digest(salt, seed, name))[:count]


def parted(names: Sequence[str], chosen: Container[str]) -> tuple[list[str], list[str]]:
    """The names that are chosen and those that are not, each in their order."""
    return [name for name in names if name in chosen], [name for name in names if name not in chosen]


def _digest(salt: str, seed: int, name: str) -> bytes:
    # Normalised, since some file systems hand back é as two code points.
    return hashlib.sha256(f"{salt}\n{seed}\n{unicodedata.normalize('NFC', name)}".encode()).digest()


def for_mode(sides: Mapping[str, Sequence[str]], mode: Mode) -> dict[str, list[str]]:
    """What a run of that mode needs of a data set's sides.

    All of them to train. A run that trains nothing measures on the test's pictures where there are no others; one that
    only measures does not look at training pictures at all.

    Args:
        sides: names by train, val and test, of which some may be missing.
        mode: of the run.
    """
    training, validation, test = (list(sides.get(side, ())) for side in ("train", "val", "test"))
    if mode is not Mode.TRAIN and not validation:
        validation, test = test, []
    return {"train": [] if mode is Mode.EVALUATE else training, "val": validation, "test": test}


def is_by_seed(sides: Collection[str] | None) -> bool:
    """Whether validation pictures are set aside by seed: there are training pictures, and it is not said which.

    Args:
        sides: that the data set has; None where it is not split at all.
    """
    return sides is None or ("train" in sides and "val" not in sides)


def told_of_split(measured: int, of: int, seed: int) -> str:
    """What is said where a data set without sides is measured: a person may have meant all of it."""
    return (
        f"the data set is not split: of its {of} pictures those {measured} are measured that a training with seed "
        f"{seed} sets aside; one that has validation or test pictures alone is measured whole"
    )


def share_of(fraction: float, names: Sequence[str], seed: int) -> list[str]:
    """The names where `fraction` is 1, else that share of them, at least one, sorted."""
    if fraction == 1:
        return list(names)
    return sorted(lowest(names, max(1, round(len(names) * fraction)), seed, salt="fraction"))


def at_most(limit: int | None, names: Sequence[str], seed: int) -> list[str]:
    """The names, or `limit` of them where there are more, in their order."""
    if limit is None or len(names) <= limit:
        return list(names)
    chosen = set(lowest(names, limit, seed, salt="limit"))
    return [name for name in names if name in chosen]


def draw_of(name: str, seed: int) -> float:
    """A number from 0 to 1 that belongs to a name, whatever else there is."""
    return int.from_bytes(_digest("side", seed, name)[:8], "big") / 2**64
