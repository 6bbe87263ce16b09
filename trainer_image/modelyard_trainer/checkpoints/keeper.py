"""Checkpoints of one attempt: taken down at once, uploaded by a thread, gone on from by the next attempt."""

from __future__ import annotations

import itertools
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard_api.layout import AttemptLayout
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.status import Checkpoint

from modelyard_trainer.checkpoints.inventory import Inventory
from modelyard_trainer.checkpoints.manifest import (
    CheckpointManifest,
    Found,
    StoredFile,
    is_manifest,
    manifest_name,
    read_manifest,
    stem_of,
)
from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.checkpoints.pace import Pace
from modelyard_trainer.checkpoints.shelf import Shelf
from modelyard_trainer.checkpoints.state import has_diverged, read_state, write_state
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import link_or_copy, sha256
from modelyard_trainer.patience import AT_THE_START, Patience
from modelyard_trainer.progress import Progress

_log = logging.getLogger("modelyard.checkpoints")
_FOR_CLEANING_UP = 5.0
"""Seconds that an upload may take to remove what it began."""
_HURRIED_PAUSE = 1.0
_SLICE = 0.5
_RESTORED = "restored"


class AbandonedError(Exception):
    """Nobody wants this checkpoint any more."""


class _UnusableError(Exception):
    """A checkpoint cannot be gone on from; the message says why."""


@dataclass(frozen=True)
class _Pending:
    """A snapshot on its way: its files are links, so that a newer best.pt does not take the place of its own."""

    folder: Path
    position: Position
    taken_at: datetime
    state: Mapping[str, Any]
    files: Mapping[str, Path]
    written: Path | None = None
    """The state as a file, once it is one."""


@dataclass(frozen=True)
class History:
    """What an attempt's checkpoints came to."""

    resumed: Checkpoint | None = None
    taken: int = 0
    kept: tuple[Checkpoint, ...] = field(default=())
    """Those of this attempt that are still there, the oldest first."""


class KeptCheckpoints:
    """See `modelyard_trainer.checkpoints.model.Checkpoints` for what a task uses.

    Whatever is wrong with the shelf, the training goes on: it is tried again for as long as the attempt lasts.

    Args:
        shelf: where they lie.
        document: the attempt.
        pod_uid: whose folder this attempt's go to.
        scratch: a folder for what nobody keeps.
        progress: told which one is safe, and what is wrong.
        patience: how often a shelf that fails is tried again.
        clock: a monotonic clock, seconds.
    """

    def __init__(
        self,
        shelf: Shelf,
        document: RunDocument,
        *,
        pod_uid: str,
        scratch: Path,
        progress: Progress,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf, self._document, self._progress = shelf, document, progress
        self._pod_uid, self._replaced = pod_uid, False
        self._folder = AttemptLayout(pod_uid).checkpoints
        self._scratch = scratch
        self._patience = patience or Patience(AT_THE_START)
        self._pace = Pace(document.spec.checkpoints, document.spec.training.epochs, clock)
        self._inventory = Inventory(document.attempt, self._folder, document.spec.checkpoints.keep_last)
        self._history = History()
        self._resumed_at: Position | None = None
        self._last_saved: Position | None = None
        self._last_safe: Position | None = None
        self._numbers = itertools.count(1)
        self._digests: dict[tuple[int, int, int, int], str] = {}
        self._changed = threading.Condition()
        self._waiting: _Pending | None = None
        self._busy = self._closing = self._abandoned = False
        self._thread: threading.Thread | None = None

    @property
    def history(self) -> History:
        """What was gone on from, and what was taken."""
        with self._changed:
            return self._history

    def restore(self) -> Snapshot | None:
        """The newest one that verifies, for the same data set; the others are passed over with a word in the log."""
        self._progress.detail("looking for a checkpoint to go on from")
        return self._patience.until_it_answers(self._restore, self._progress.detail, renew=self._shelf.renew)

    def due(self, position: Position) -> bool:
        """Whether the spec's pace asks for one; never twice for the same position."""
        self._look_back_at(position)
        return position != self._last_saved and self._pace.due(position)

    def save(self, snapshot: Snapshot) -> None:
        """Link its files and leave the rest to the thread."""
        self._look_back_at(snapshot.position)
        if snapshot.position == self._last_saved:
            return
        self._last_saved = snapshot.position
        self._pace.taken()
        folder = self._scratch / "checkpoints" / str(next(self._numbers))
        try:
            folder.mkdir(parents=True)
            files = {name: folder / name for name in snapshot.files}
            for name, path in snapshot.files.items():
                link_or_copy(path, files[name])
        except OSError as error:  # a full disk must not end the training here: there will be another one
            self._progress.notice(f"the checkpoint of {snapshot.position} was not kept: {error}")
            _log.warning("the checkpoint of %s was not kept: %s", snapshot.position, error)
            shutil.rmtree(folder, ignore_errors=True)
            return
        pending = _Pending(folder, snapshot.position, datetime.now(UTC), snapshot.state, files)
        with self._changed:
            replaced, self._waiting = self._waiting, pending
            self._changed.notify_all()
        if replaced:
            _forget(replaced)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
            self._thread.start()

    def close(self, seconds: float, left: Callable[[], float] = lambda: math.inf) -> bool:
        """Wait for what was saved to be safe, then end.

        Args:
            seconds: how long at most.
            left: seconds that are left, asked again and again, since that may change while it waits.

        Returns:
            Whether all of it is.
        """
        until = time.monotonic() + seconds
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if self._waiting or self._busy:
                _log.info("the last checkpoint is brought to safety")
            while (self._waiting or self._busy) and (rest := min(until - time.monotonic(), left())) > 0:
                self._changed.wait(min(rest, _SLICE))
            safe = self._last_safe == self._last_saved
        self.abandon()
        return safe

    def abandon(self) -> None:
        """End without waiting for what is still on its way; what it began in the store is removed."""
        with self._changed:
            self._closing = self._abandoned = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_FOR_CLEANING_UP)

    def clear(self) -> None:
        """Remove every checkpoint of the run: its results are published."""
        self.abandon()
        try:
            self._shelf.clear()
        except (RunError, OSError) as error:
            _log.warning("the checkpoints were not removed: %s", error)

    def _restore(self) -> Snapshot | None:
        keys = self._shelf.keys()
        self._inventory.found(keys, [found for key in keys if (found := self._read_manifest(key))])
        self._tidy(besides=self._folder)
        for found in self._inventory.candidates:
            uri = self._shelf.uri(found.key)
            try:
                snapshot = self._fetch(found)
            except _UnusableError as error:
                _log.warning("the checkpoint of %s (%s) is passed over: %s", found.manifest.position, uri, error)
                self._inventory.useless(found)
                continue
            _log.info("found the checkpoint of %s (%s)", found.manifest.position, uri)
            self._inventory.resumed(found)
            self._resumed_at = self._last_saved = self._last_safe = found.manifest.position
            with self._changed:
                self._history = replace(self._history, resumed=found.described(uri))
            self._progress.restored(found.described(uri))
            return snapshot
        if keys:
            _log.warning("no checkpoint can be gone on from; the training begins anew")
        return None

    def _tidy(self, below: str = "", besides: str = "") -> None:
        with suppress(OSError):  # they harm nobody but the one who pays
            self._shelf.tidy(below, besides)

    def _look_back_at(self, position: Position) -> None:
        """A task that is epochs before where it was to go on from did not want that checkpoint, and began anew."""
        if self._resumed_at is None or position.epochs >= self._resumed_at.epochs:
            return
        self._resumed_at = self._last_saved = self._last_safe = None
        self._inventory.declined()
        shutil.rmtree(self._scratch / _RESTORED, ignore_errors=True)
        with self._changed:
            self._history = replace(self._history, resumed=None)
        self._progress.restored(None)

    def _read_manifest(self, key: str) -> Found | None:
        folder, _, name = key.rpartition("/")
        if not is_manifest(name):
            return None
        content = self._shelf.read(key)
        try:
            return None if content is None else read_manifest(folder, name, content)
        except ValueError as error:
            _log.warning("%s is passed over: %s", self._shelf.uri(key), str(error).partition("\n")[0])
            return None

    def _fetch(self, found: Found) -> Snapshot:
        """Bring a checkpoint here and check every byte.

        Raises:
            _UnusableError: it is damaged, or another data set's.
        """
        manifest, data = found.manifest, self._progress.now.dataset
        if manifest.dataset is not None and data is not None and manifest.dataset != data.digest:
            raise _UnusableError("the data set has changed since")
        folder = self._scratch / _RESTORED
        shutil.rmtree(folder, ignore_errors=True)
        state = self._bring(found, manifest.state, folder / "state" / manifest.state.name)
        files = {name: self._bring(found, file, folder / name) for name, file in manifest.files.items()}
        try:
            content = read_state(state)
        except ValueError as error:
            raise _UnusableError(str(error)) from error
        finally:
            state.unlink(missing_ok=True)
        return Snapshot(manifest.position, content, files)

    def _bring(self, found: Found, file: StoredFile, path: Path) -> Path:
        try:
            digest = self._shelf.download(f"{found.folder}/{file.name}", path)
        except RunError as error:
            if error.reason is Reason.INTERNAL_ERROR:
                raise _UnusableError(error.message) from error
            raise
        if digest is None:
            raise _UnusableError(f"{file.name} is missing")
        if digest != file.sha256:
            raise _UnusableError(f"{file.name} does not hold what was written to it")
        return path

    def _work(self) -> None:
        failures = 0
        while pending := self._next():
            try:
                written = pending.written or self._write(pending)
                # Its tensors may be large, and are not needed any more.
                pending = replace(pending, state={}, written=written)
                self._keep(pending, written)
            except AbandonedError:
                self._done(pending, again=False)
            except Exception as error:  # a full disk, a store that is away, whatever it is: training goes on
                failures += 1
                self._complain(pending, error, failures)
                self._done(pending, again=True)
                self._pause(failures)
                self._shelf.renew()
            else:
                if failures:
                    _log.info("checkpoints are safe again")
                    # A store that went away in the middle of one could not be told to forget it.
                    self._tidy(self._folder)
                self._progress.notice("")
                failures = 0
                self._prune()
                self._done(pending, again=False)

    def _next(self) -> _Pending | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            pending, self._waiting = self._waiting, None
            if self._abandoned:
                return None
            self._busy = pending is not None
            return pending

    def _done(self, pending: _Pending, *, again: bool) -> None:
        """Say that the thread has let go of it; what failed waits again, unless there is a newer one."""
        with self._changed:
            again = again and self._waiting is None and not self._abandoned
            if again:
                self._waiting = pending
            self._busy = False
            self._changed.notify_all()
        if not again:
            _forget(pending)

    def _complain(self, pending: _Pending, error: Exception, failures: int) -> None:
        said = error.message if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
        self._progress.notice(f"the checkpoint of {pending.position} waits: {said}")
        # Said less and less often: an outage may last for days.
        level = logging.WARNING if failures & (failures - 1) == 0 else logging.DEBUG
        _log.log(level, "the checkpoint of %s is not safe yet and is tried again: %s", pending.position, said)

    def _pause(self, failures: int) -> None:
        """Wait before it is tried again; less where somebody waits for it."""
        pause = self._patience.pause(failures)
        with self._changed:
            if self._changed.wait_for(lambda: self._closing, pause):
                self._changed.wait_for(lambda: self._abandoned, min(pause, _HURRIED_PAUSE))

    def _write(self, pending: _Pending) -> Path:
        if has_diverged(pending.state):
            # The one before is what a restart with a lower learning rate wants.
            _log.warning("the checkpoint of %s holds NaN and is not kept", pending.position)
            raise AbandonedError
        return write_state(pending.state, pending.folder, self._stem(pending.position))

    def _stem(self, position: Position) -> str:
        """A name that was never used: whoever reads a key reads one content, or nothing."""
        stem = stem_of(position)
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        return next(name for name in names if not self._inventory.has(manifest_name(name)))

    def _keep(self, pending: _Pending, written: Path) -> None:
        """Upload what is not there yet, the manifest last.

        Raises:
            AbandonedError: the run is another pod's by now, and what this one takes would only be in its way.
        """
        self._refuse_if_replaced()
        state = self._put(written, written.name)
        files = {}
        for name, path in pending.files.items():
            stored = f"{path.stem}-{self._digest(path)}{path.suffix}"
            files[name] = self._stored(path, stored) if self._inventory.has(stored) else self._put(path, stored)
        data = self._progress.now.dataset
        manifest = CheckpointManifest(
            attempt=self._document.attempt,
            epochs=pending.position.epochs,
            step=pending.position.step,
            taken_at=pending.taken_at,
            batch_size=self._document.batch_size,
            dataset=data.digest if data else None,
            state=state,
            files=files,
        )
        stem = state.name.partition(".")[0]
        found = Found(self._folder, manifest_name(stem), manifest)
        described = found.described(self._shelf.uri(found.key))
        self._refuse_if_replaced()
        self._shelf.write(found.key, manifest.model_dump_json(by_alias=True, indent=2).encode() + b"\n")
        self._inventory.committed(found)
        self._progress.checkpoint(described)
        with self._changed:
            self._last_safe = pending.position
            kept = (*self._history.kept, described)
            self._history = replace(self._history, taken=self._history.taken + 1, kept=kept)
        _log.info("the checkpoint of %s is safe", pending.position)

    def _refuse_if_replaced(self) -> None:
        if not self._shelf.is_claimed_by_another(self._pod_uid):
            return
        if not self._replaced:
            self._replaced = True
            _log.warning("another pod is at work on this run by now: no more checkpoints are kept")
        raise AbandonedError

    def _put(self, path: Path, name: str) -> StoredFile:
        stored = self._stored(path, name)
        self._shelf.upload(path, f"{self._folder}/{name}", self._count)
        self._inventory.added(name)
        return stored

    def _stored(self, path: Path, name: str) -> StoredFile:
        return StoredFile(name=name, sha256=self._digest(path), bytes=path.stat().st_size)

    def _digest(self, path: Path) -> str:
        """The file's SHA-256, read once: the next snapshot links the same file, and there may be many large ones."""
        found = path.stat()
        content = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        if content not in self._digests:
            self._digests[content] = sha256(path)
        return self._digests[content]

    def _count(self, _bytes: int) -> None:
        if self._abandoned:
            raise AbandonedError

    def _prune(self) -> None:
        """Remove what the newest one makes superfluous; what cannot be removed now is, the next time.

        Once the run is another pod's, that one may have listed what is superfluous here, and be about to read it.
        """
        try:
            self._refuse_if_replaced()
            for key in self._inventory.superfluous():
                if self._abandoned:
                    return
                self._shelf.delete(key)
                self._inventory.removed(key)
        except Exception as error:  # whatever it is, newer ones must be kept
            _log.info("older checkpoints are not removed yet: %s", error)
        kept = {found.described(self._shelf.uri(found.key)).uri for found in self._inventory.kept}
        with self._changed:
            self._history = replace(self._history, kept=tuple(each for each in self._history.kept if each.uri in kept))


def _forget(pending: _Pending) -> None:
    shutil.rmtree(pending.folder, ignore_errors=True)
