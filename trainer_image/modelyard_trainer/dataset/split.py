"""Which pictures are set aside for validation: decided by seed and name alone, so it is the same on every machine."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

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
            f"dataset.validationSplit {share:g} of {len(names)} pictures leaves none for {side}; "
            "more pictures or another share would be right",
        )
    return frozenset(lowest(names, wanted, seed, salt="validation"))


def lowest(names: Sequence[str], count: int, seed: int, *, salt: str) -> list[str]:
    """The `count` names whose hash is smallest. Another `salt` makes another, independent choice."""
    return sorted(names, key=lambda name: _digest(salt, seed, name))[:count]


def _digest(salt: str, seed: int, name: str) -> bytes:
    # Normalised, since some file systems hand back é as two code points.
    return hashlib.sha256(f"{salt}\n{seed}\n{unicodedata.normalize('NFC', name)}".encode()).digest()


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
