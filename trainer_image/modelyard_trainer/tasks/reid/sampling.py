"""Which pictures meet in a batch: functions of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from modelyard_api.outcome import Reason
from modelyard_api.reid import Reid, ReidSampler, SamplerName
from numpy.typing import NDArray

from modelyard_trainer.dataset.reid import Seen
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.dealing import deal
from modelyard_trainer.loop.sampling import Drawn, Indices, Order, shuffled


def order_of(seed: int, seen: Seen, block: Reid, batch_size: int) -> tuple[Order, int]:
    """The order that a spec asks for, and how many pictures each of its epochs has.

    Args:
        seed: of the run.
        seen: the training pictures.
        block: what is asked for.
        batch_size: of the spec: the order stays the same where an attempt has to do with smaller batches.

    Raises:
        RunError: SpecInvalid; there are not enough persons, cameras or sources for a batch.
    """
    pictures, versions = len(seen.pictures), block.k_tfm
    if block.sampler.name is SamplerName.RANDOM:
        plain = shuffled(seed, pictures)
        return (lambda epoch: np.repeat(plain(epoch), versions)), pictures * versions
    composed: Callable[[np.random.Generator], Indices]
    if block.sampler.name is SamplerName.IDENTITY:
        composed = _Persons(seen, block.sampler, batch_size // versions)
    else:
        kinds = seen.cameras if block.sampler.name is SamplerName.CAMERA else seen.sources
        composed = _Kinds(kinds, block.sampler, batch_size // versions)
    order = Drawn(seed, lambda draw: np.repeat(composed(draw), versions))
    return order, len(order(0))


class _Kinds:
    """As many pictures of each of so many cameras, or sources, in each batch."""

    def __init__(self, kinds: NDArray[np.int64], sampler: ReidSampler, batch_size: int) -> None:
        self._pictures = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
        wanted = sampler.num_cams if sampler.name is SamplerName.CAMERA else sampler.num_datasets
        self._kinds = wanted or 1
        field, what = ("numCams", "cameras") if sampler.name is SamplerName.CAMERA else ("numDatasets", "sources")
        if len(self._pictures) < self._kinds:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.reid.sampler.{field}: {self._kinds}, but the training pictures are of {len(self._pictures)} "
                f"{what}; {len(self._pictures)} at most would be right",
            )
        self._each = batch_size // self._kinds

    def __call__(self, draw: np.random.Generator) -> Indices:
        groups = [_cut(_filled(draw.permutation(each), self._each), self._each) for each in self._pictures]
        return _joined(deal(groups, self._kinds, draw))


class _Persons:
    """So many pictures of each person in each batch (arXiv:1703.07737, section 3)."""

    def __init__(self, seen: Seen, sampler: ReidSampler, batch_size: int) -> None:
        self._seen = seen
        self._instances, self._cameras = sampler.num_instances, sampler.num_cams
        persons = batch_size // self._instances
        self._sources = sampler.num_datasets
        self._persons = persons // (self._sources or 1)
        by_source = [
            [np.flatnonzero((seen.persons == person) & (seen.sources == source)) for person in np.unique(there)]
            for source in np.unique(seen.sources)
            for there in [seen.persons[seen.sources == source]]
        ]
        self._by_source = by_source if self._sources else [[each for persons in by_source for each in persons]]
        self._check(batch_size)

    def _check(self, batch_size: int) -> None:
        if self._sources and len(self._by_source) < self._sources:
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.reid.sampler.numDatasets: {self._sources}, but the training pictures are of "
                f"{len(self._by_source)} sources; {len(self._by_source)} at most would be right",
            )
        fewest = min(len(persons) for persons in self._by_source)
        if fewest < self._persons:
            of_each = " of each source" if self._sources else ""
            raise RunError(
                Reason.SPEC_INVALID,
                f"spec.training.batchSize: batches with {self._instances} pictures of each person need {self._persons} "
                f"persons{of_each}, and the training pictures show {fewest}; "
                f"{batch_size // self._persons * fewest} at most would be right",
            )

    def __call__(self, draw: np.random.Generator) -> Indices:
        slices = [self._slices(persons, draw) for persons in self._by_source]
        return _joined(deal(slices, self._sources or 1, draw))

    def _slices(self, persons: Sequence[Indices], draw: np.random.Generator) -> list[Indices]:
        """What each batch has of these persons."""
        batches = deal([self._groups(each, draw) for each in persons], self._persons, draw)
        return [np.concatenate(batch) for batch in batches]

    def _groups(self, pictures: Indices, draw: np.random.Generator) -> list[Indices]:
        """A person's pictures in groups; what makes no whole group is left out, another rest in each epoch."""
        shuffled_pictures = _filled(draw.permutation(pictures), self._instances)
        if self._cameras is None:
            return _cut(shuffled_pictures, self._instances)
        return _by_cameras(shuffled_pictures, self._seen.cameras, self._instances, self._cameras)


def _by_cameras(pictures: Indices, cameras: NDArray[np.int64], size: int, wanted: int) -> list[Indices]:
    """Groups whose pictures come from `wanted` cameras, where there are so many.

    The cameras that have most pictures left come first, so that they last.
    """
    left: dict[int, list[int]] = {}
    for picture in pictures:
        left.setdefault(int(cameras[picture]), []).append(int(picture))
    groups = []
    for _ in range(len(pictures) // size):
        by_most = sorted(left, key=lambda camera: -len(left[camera]))
        group: list[int] = []
        for chosen in (by_most[:wanted], by_most[wanted:]):
            while len(group) < size and any(left[camera] for camera in chosen):
                for camera in chosen:
                    if left[camera] and len(group) < size:
                        group.append(left[camera].pop())
        groups.append(np.array(group))
    return groups


def _filled(pictures: Indices, size: int) -> Indices:
    """The pictures, again and again where they do not fill a group."""
    return np.resize(pictures, size) if len(pictures) < size else pictures


def _cut(pictures: Indices, size: int) -> list[Indices]:
    return [pictures[start : start + size] for start in range(0, len(pictures) - size + 1, size)]


def _joined(batches: Sequence[Sequence[Indices]]) -> Indices:
    return np.concatenate([group for batch in batches for group in batch])
