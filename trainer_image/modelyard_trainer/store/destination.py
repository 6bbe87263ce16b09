"""Results in S3: an attempt writes below its own pod's UID, and one small object makes them the run's."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from modelyard_api.layout import CHECKSUMS, AttemptLayout, RunLayout
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument

from modelyard_trainer.destination import Manifest, Published
from modelyard_trainer.errors import RunError
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.patience import Patience
from modelyard_trainer.progress import Progress
from modelyard_trainer.store.s3 import ConditionUnsupportedError, PreconditionFailedError, S3Store
from modelyard_trainer.store.transfer import Counter, in_parallel

_PROBE = ".probe"
_log = logging.getLogger("modelyard.store")


def claimant(claim: bytes) -> str | None:
    """UID of the pod that a claim names; None where it names none."""
    pod_uid = _noted(claim, "podUid")
    return pod_uid if isinstance(pod_uid, str) else None


def _noted(note: bytes, name: str) -> object:
    """What a small object says under `name`; None where somebody else wrote it, or nobody knows what."""
    try:
        return json.loads(note)[name]
    except (ValueError, KeyError, TypeError):
        return None


class S3Destination:
    """Where one attempt's results go. See `modelyard_trainer.destination.Destination` for the methods."""

    def __init__(self, store: S3Store, document: RunDocument, pod_uid: str, patience: Patience | None = None) -> None:
        self._store, self._document, self._pod_uid = store, document, pod_uid
        self._patience = patience or Patience()
        self._run = RunLayout("", document.namespace, document.name, document.uid)
        self._attempt: AttemptLayout = self._run.attempt(pod_uid)
        self._conditional = True
        self.notices: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Find out whether the store knows conditional writes, then claim the run for this pod.

        Raises:
            RunError: Interrupted; a later attempt has claimed the run already.
        """
        self._probe()
        self._claim()

    def _probe(self) -> None:
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

    def publish(self, folder: Path, progress: Progress, interruption: Interruption) -> Published:
        """Upload the files, then SHA256SUMS, then the pointer; wait for a store that is away, within reason.

        Credentials that are missing or refused have expired, since `prepare` wrote with them: new ones are waited for
        as well.

        Raises:
            RunError: Interrupted; another pod has taken the run over. StoreUnreachable; it was away for too long.
        """
        manifest = Manifest.of(folder)
        published = manifest.published(self._store.uri(self._attempt.artifacts))
        uploaded: set[str] = set()
        broke_off = False

        def renew() -> None:
            nonlocal broke_off
            broke_off = True
            self._store.renew()

        def publish() -> None:
            self._upload(manifest, uploaded, progress)
            with interruption.deferred():
                self._store.write(self._attempt.checksums, manifest.text.encode())
                self._point(published)
                interruption.settle()

        self._patience.until_it_answers(publish, progress.detail, done=lambda: len(uploaded), renew=renew)
        if broke_off:
            # A store that went away in the middle of an upload could not be told so then.
            self._store.abort_uploads(f"{self._attempt.artifacts}/")
        return published

    def _claim(self) -> None:
        """From here on a pod that was given up, even one that nobody can reach, publishes nothing any more."""
        claim = {"attempt": self._document.attempt, "podUid": self._pod_uid}
        self._write_unless_later(self._run.claim, claim, "a later attempt of this run is at work already")

    def _refuse_if_replaced(self) -> None:
        there = self._store.read(self._run.claim)
        if there is not None and claimant(there[0]) != self._pod_uid:
            raise RunError(Reason.INTERRUPTED, "another pod has taken this run over since, and publishes its results")

    def _upload(self, manifest: Manifest, uploaded: set[str], progress: Progress) -> None:
        """Upload what is not in `uploaded` yet, and add to it what was."""
        sizes = {name: (manifest.folder / name).stat().st_size for name in manifest.digests if name not in uploaded}
        counter = Counter(sum(sizes.values()), progress.detail)

        def upload(name: str) -> None:
            self._store.upload(manifest.folder / name, f"{self._attempt.artifacts}/{name}", counter.add)
            uploaded.add(name)

        # Large ones first, so that none of them is waited for alone at the end.
        in_parallel(upload, sorted(sizes, key=lambda name: -sizes[name]), counter)

    def _point(self, published: Published) -> None:
        pointer = {
            "attempt": self._document.attempt,
            "podUid": self._pod_uid,
            "artifacts": self._attempt.artifacts.removeprefix(f"{self._run.root}/"),
            "checksums": f"{self._attempt.artifacts.removeprefix(f'{self._run.root}/')}/{CHECKSUMS}",
            "checksumsSha256": published.checksums_sha256,
        }
        self._refuse_if_replaced()
        self._write_unless_later(
            self._run.pointer, pointer, "a later attempt of this run has published its results already"
        )

    def _write_unless_later(self, key: str, value: Mapping[str, object], refusal: str) -> None:
        """Write a small object that names its attempt, but never over that of a later one."""
        content = (json.dumps(value, indent=2) + "\n").encode()
        for _ in range(3):
            there = self._store.read(key)
            attempt = _noted(there[0], "attempt") if there is not None else None
            if isinstance(attempt, int) and attempt > self._document.attempt:
                raise RunError(Reason.INTERRUPTED, refusal)
            try:
                if self._conditional:
                    self._store.write_if(key, content, there[1] if there else None)
                else:
                    self._store.write(key, content)
            except PreconditionFailedError:
                # Another attempt came first, or our own write did and only its answer was lost: look again.
                continue
            except ConditionUnsupportedError:
                # Some stores know "only if there is none", which `prepare` tries, but not "only if it is still this".
                self._store.write(key, content)
            return
        raise RunError(Reason.STORE_UNREACHABLE, f"{self._store.uri(key)} was changed again and again by others")
