"""Results in S3: an attempt writes below its own pod's UID, and one small object makes them the run's."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from modelyard_api.layout import CHECKSUMS, AttemptLayout, RunLayout
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument

from modelyard_trainer.destination import Manifest, Published
from modelyard_trainer.errors import RunError
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.s3 import ConditionUnsupportedError, PreconditionFailedError, S3Store
from modelyard_trainer.store.transfer import Counter, in_parallel

_PROBE = ".probe"
_log = logging.getLogger("modelyard.store")


class S3Destination:
    """Where one attempt's results go. See `modelyard_trainer.destination.Destination` for the methods."""

    def __init__(self, store: S3Store, document: RunDocument, pod_uid: str) -> None:
        self._store, self._document, self._pod_uid = store, document, pod_uid
        self._run = RunLayout("", document.namespace, document.name, document.uid)
        self._attempt: AttemptLayout = self._run.attempt(pod_uid)
        self._conditional = True
        self.notices: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Write, write again on a condition that does not hold, and remove a small object."""
        probe = f"{self._attempt.root}/{_PROBE}"
        self._store.write(probe, b"")
        try:
            self._store.write_if(probe, b"", None)
        except PreconditionFailedError:
            pass
        except ConditionUnsupportedError:
            self._conditional = False
        else:
            self._conditional = False
        self._store.delete(probe)
        if not self._conditional:
            self.notices = (
                f"{self._store.uri()} knows no conditional writes, so that two attempts which end at the same moment "
                "could not be told apart by the store",
            )
            _log.warning("%s", self.notices[0])

    def publish(self, folder: Path, progress: Progress) -> Published:
        """Upload the files, then SHA256SUMS, then the pointer.

        Raises:
            RunError: Interrupted; a later attempt of the run has published.
        """
        manifest = Manifest.of(folder)
        sizes = {name: (folder / name).stat().st_size for name in manifest.digests}
        counter = Counter(sum(sizes.values()), progress.detail)
        in_parallel(
            lambda name: self._store.upload(folder / name, f"{self._attempt.artifacts}/{name}", counter.add),
            # Large ones first, so that none of them is waited for alone at the end.
            sorted(sizes, key=lambda name: -sizes[name]),
            counter,
        )
        published = manifest.published(self._store.uri(self._attempt.artifacts))
        self._store.write(self._attempt.checksums, manifest.text.encode())
        self._point(published)
        return published

    def _point(self, published: Published) -> None:
        pointer = {
            "attempt": self._document.attempt,
            "podUid": self._pod_uid,
            "artifacts": self._attempt.artifacts.removeprefix(f"{self._run.root}/"),
            "checksums": f"{self._attempt.artifacts.removeprefix(f'{self._run.root}/')}/{CHECKSUMS}",
            "checksumsSha256": published.checksums_sha256,
        }
        content = (json.dumps(pointer, indent=2) + "\n").encode()
        for _ in range(3):
            there = self._store.read(self._run.pointer)
            if there is not None and self._is_later(there[0]):
                raise RunError(Reason.INTERRUPTED, "a later attempt of this run has published its results already")
            try:
                if self._conditional:
                    self._store.write_if(self._run.pointer, content, there[1] if there else None)
                else:
                    self._store.write(self._run.pointer, content)
            except PreconditionFailedError:
                # Another attempt came first, or our own write did and only its answer was lost: look again.
                continue
            except ConditionUnsupportedError:
                # Some stores know "only if there is none", which `prepare` tries, but not "only if it is still this".
                self._store.write(self._run.pointer, content)
            return
        raise RunError(
            Reason.STORE_UNREACHABLE, f"{self._store.uri(self._run.pointer)} was changed again and again by others"
        )

    def _is_later(self, pointer: bytes) -> bool:
        try:
            return int(json.loads(pointer)["attempt"]) > self._document.attempt
        except (ValueError, KeyError, TypeError):
            return False
