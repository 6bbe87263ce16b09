"""When the API server made each Job, by its own audit log.

A watch is not the clock for it: in a burst all watches of an API server may fall behind by seconds, whoever holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "verbs": ["create"], "resources": [{"group": "batch", "resources": ["jobs"]}]},
        {"level": "None"},
    ],
}


def audit_flags(folder: Path, log: Path) -> tuple[str, ...]:
    """Flags for kube-apiserver, which then notes each Job's creation in `log`; its policy lies in `folder`."""
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(_POLICY))
    return (f"--audit-policy-file={policy}", f"--audit-log-path={log}")


class JobsMade:
    """Reads an audit log on, from its present end.

    Args:
        log: need not be there yet.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0

    def further(self) -> Iterator[tuple[str, float]]:
        """Name of each Job made since the last call, and the second (of this machine's clock) it was answered for."""
        if not self._log.exists():
            return
        with self._log.open("rb") as stream:
            stream.seek(self._at)
            written = stream.read()
        whole = written[: written.rfind(b"\n") + 1]
        self._at += len(whole)
        for event in map(json.loads, whole.splitlines()):
            if event["responseStatus"]["code"] == 201:
                yield event["objectRef"]["name"], datetime.fromisoformat(event["stageTimestamp"]).timestamp()
