"""A file of weights from this computer to S3, under a name, as a version that never changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.files import sha256
from modelyard_trainer.store.s3 import S3Store
from modelyard_trainer.store.transfer import Counter
from modelyard_trainer.weights.fetch import LATEST, SUFFIXES
from modelyard_trainer.weights.model import FetchedWeights
from modelyard_trainer.weights.reading import read_weights


@dataclass(frozen=True)
class PushedWeights:
    """Weights that now lie in the store.

    Attributes:
        uri: of the name.
        sha256: of the file.
        size: in bytes.
        tensors: how many it holds.
        new: whether it was not there before.
    """

    uri: str
    sha256: str
    size: int
    tensors: int
    new: bool


def push_weights(store: S3Store, file: Path, tell: Callable[[str], None]) -> PushedWeights:
    """Upload a file as `SHA-256/FILE` below the store's prefix, and make it the newest version there.

    What no run could start from is refused before anything is sent.

    Raises:
        RunError: WeightsInvalid, or what the store says.
    """
    if not file.name.lower().endswith(SUFFIXES) or file.name.splitlines() != [file.name]:
        raise RunError(
            Reason.WEIGHTS_INVALID, f"{file.name}: a file name that ends in {', '.join(SUFFIXES)} would be right"
        )
    tell("reading")
    digest, size = sha256(file), file.stat().st_size
    tensors = len(read_weights(FetchedWeights(file, str(file), digest)).tensors)
    there = next((each for each in store.list(f"{digest}/") if each.size == size), None)
    name = there.key.partition("/")[2] if there else file.name
    if there is None:
        counter = Counter(size, tell)
        store.upload(file, f"{digest}/{name}", counter.add)
    # Last: until it says so, nobody takes the version for there.
    said = {"sha256": digest, "file": name, "bytes": size, "tensors": tensors}
    store.write(LATEST, (json.dumps(said, indent=2) + "\n").encode())
    return PushedWeights(store.uri(), digest, size, tensors, there is None)
