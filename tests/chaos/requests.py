"""What a request to the API server is about, by its method, path and body."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_PATH = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/[^/]+)?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[a-z]+))?)?$"
)
_JOB_NAME = re.compile(r"^(?P<run>.+)-[0-9a-f]{8}-\d+$")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
NOT_COUNTED = ("leases", "events")
"""Leases come by the clock, and nothing waits for Events: at which of them the operator is killed is chance."""


@dataclass(frozen=True)
class About:
    """What a request is about. `name` is empty for collections, `group` for the core's."""

    method: str
    group: str
    plural: str
    name: str
    sub: str

    @property
    def is_write(self) -> bool:
        """Whether it counts as a write of the operator."""
        return self.method in _WRITES and self.plural not in NOT_COUNTED

    @property
    def is_list(self) -> bool:
        """Whether it asks for a collection (or watches one)."""
        return self.method == "GET" and not self.name

    @property
    def run(self) -> str:
        """The run that it is for; empty where it is for none in particular."""
        if self.plural == "trainingruns":
            return self.name
        found = _JOB_NAME.match(self.name) if self.plural == "jobs" else None
        return found["run"] if found else ""

    @property
    def what(self) -> str:
        """Verb, kind and subresource."""
        return f"{self.method} {self.plural}" + (f"/{self.sub}" if self.sub else "")


def about(method: str, path: str, body: bytes) -> About | None:
    """None where it is about no kind of object."""
    found = _PATH.match(path)
    if found is None:
        return None
    name = found["name"] or ""
    if method == "POST" and not name:
        name = str(json.loads(body)["metadata"].get("name", ""))
    return About(method, found["group"] or "", found["plural"], name, found["sub"] or "")
