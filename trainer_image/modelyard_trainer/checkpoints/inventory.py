"""Which checkpoints of a run there are, which are kept, and what can go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from modelyard_trainer.checkpoints.manifest import Found


class Inventory:
    """What lies on the shelf, as far as this attempt knows.

    Args:
        attempt: number of this attempt. What a later one has is not this one's to judge.
        folder: its folder.
        keep: how many checkpoints are kept.
    """

    def __init__(self, attempt: int, folder: str, keep: int) -> None:
        self._attempt, self._folder, self._keep = attempt, folder, keep
        self._own: list[Found] = []
        self._others: list[Found] = []
        self._resumed: Found | None = None
        self._useless: set[str] = set()
        self._stale: set[str] = set()
        self._files: dict[str, set[str]] = defaultdict(set)

    @property
    def candidates(self) -> list[Found]:
        """What was found, the newest first, but for what a pod took that had been given up by then."""
        valid = [found for found in self._others if found.key not in self._stale]
        return sorted(valid, key=lambda found: found.rank, reverse=True)

    @property
    def kept(self) -> list[Found]:
        """What should stay, the most useful first: what this attempt took, what it went on from, then older ones.

        One that was passed over, however far it is, comes last.
        """
        older = [found for found in self.candidates if found is not self._resumed]
        older.sort(key=lambda found: found.key in self._useless)
        resumed = [self._resumed] if self._resumed else []
        return [*reversed(self._own), *resumed, *older][: self._keep]

    def found(self, keys: Iterable[str], manifests: Iterable[Found]) -> None:
        """Take down what lay there when this attempt began; folders of later attempts are left out."""
        manifests = list(manifests)
        later = {found.folder for found in manifests if found.manifest.attempt > self._attempt}
        self._others = manifests
        self._stale = {each.key for each in manifests if each.is_stale_beside(manifests)}
        for key in keys:
            folder, _, name = key.rpartition("/")
            if folder not in later:
                self._files[folder].add(name)

    def useless(self, found: Found) -> None:
        """It cannot be gone on from."""
        self._useless.add(found.key)

    def resumed(self, found: Found) -> None:
        """It is what this attempt goes on from."""
        self._resumed = found

    def declined(self) -> None:
        """It did not go on from there after all."""
        if self._resumed:
            self._useless.add(self._resumed.key)
            self._resumed = None

    def has(self, name: str) -> bool:
        """Whether a file of this name lies in the attempt's own folder."""
        return name in self._files[self._folder]

    def added(self, name: str) -> None:
        """A file was put into the attempt's own folder."""
        self._files[self._folder].add(name)

    def committed(self, found: Found) -> None:
        """A checkpoint of this attempt is whole."""
        self._own.append(found)
        self.added(found.name)

    def superfluous(self) -> list[str]:
        """Keys that can go, in the order in which they must: a checkpoint's manifest before what it names."""
        needed: dict[str, set[str]] = defaultdict(set)
        for found in self.kept:
            needed[found.folder] |= {found.name, *found.manifest.names}
        gone = [f"{folder}/{name}" for folder, names in self._files.items() for name in names - needed[folder]]
        manifests = {found.key for found in (*self._own, *self._others)}
        return sorted(gone, key=lambda key: (key not in manifests, key))

    def removed(self, key: str) -> None:
        """It is gone."""
        folder, _, name = key.rpartition("/")
        self._files[folder].discard(name)
        self._own = [found for found in self._own if found.key != key]
        self._others = [found for found in self._others if found.key != key]
        if self._resumed and self._resumed.key == key:
            self._resumed = None
