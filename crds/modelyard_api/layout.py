"""Where a run's files lie in S3.

An attempt writes below its own pod's UID, and `latest.json`, written last and conditionally, makes its files the run's:
a pod that was given up, even on a node nobody can reach, is never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

CHECKSUMS = "SHA256SUMS"
POINTER = "latest.json"
CLAIM = "claim.json"
RUN_FILE = "run.json"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class RunLayout:
    """Keys of one run below `prefix` (no slash at either end; may be empty)."""

    prefix: str
    namespace: str
    name: str
    uid: str

    @property
    def root(self) -> str:
        """`<prefix>/<namespace>/<name>/<uid>`."""
        return "/".join(part for part in (self.prefix, self.namespace, self.name, self.uid) if part)

    @property
    def pointer(self) -> str:
        """Key of the pointer that names the attempt whose files are the run's."""
        return f"{self.root}/{POINTER}"

    @property
    def claim(self) -> str:
        """Key of the note that says which pod works on the run: one that finds another's there does not publish."""
        return f"{self.root}/{CLAIM}"

    def attempt(self, pod_uid: str) -> AttemptLayout:
        """Keys of the attempt that the pod `pod_uid` makes."""
        return AttemptLayout(f"{self.root}/{pod_uid}")


@dataclass(frozen=True)
class AttemptLayout:
    """Keys of one attempt below `root`."""

    root: str

    @property
    def artifacts(self) -> str:
        """Folder of the published set."""
        return f"{self.root}/artifacts"

    @property
    def checkpoints(self) -> str:
        """Folder of checkpoints."""
        return f"{self.root}/checkpoints"

    @property
    def logs(self) -> str:
        """Folder of logs."""
        return f"{self.root}/logs"

    @property
    def checksums(self) -> str:
        """Key of SHA256SUMS, written last of the set."""
        return f"{self.artifacts}/{CHECKSUMS}"
