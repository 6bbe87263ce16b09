"""What a run has left behind, without what no two lives share: names, UIDs, times."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.chaos.witness import Object, Witness
from tests.integration.namespace_view import attempt_of

_OF_THE_CLOCK = ("activeSeconds", "elapsed", "eta", "seconds", "trainingSeconds")
_TIMES = ("At", "Time", "Timestamp")
_CHANCE = ("uid", "resourceVersion", "managedFields", "bytes")
"""An object that holds times is longer or shorter for them; its digest says whether it is what it should be."""
_INTAKE = re.compile(r"https://localhost:\d+")
Names = list[tuple[str, str]]
"""What to replace by what, in this order."""


def trace(witness: Witness, run: str, more: Names | None = None) -> Any:
    """Status, and names, labels, annotations and specs of the Jobs, to be compared with another life's.

    Args:
        more: further names that no two lives share.
    """
    found = witness.run(run)
    jobs = witness.jobs(run)
    left = {
        "status": found.get("status"),
        "jobs": [{**_part(job["metadata"], "name", "labels", "annotations"), "spec": job["spec"]} for job in jobs],
    }
    return json.loads(named(json.dumps(timeless(left)), [*(more or ()), *names(witness, run)]))


def named(text: str, by: Names) -> str:
    """`text` with what stands there by chance replaced."""
    for name, stands_for in by:
        text = text.replace(name, stands_for)
    return _INTAKE.sub("INTAKE", text)


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """A line for each place where two traces differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{place}[{number}]")]
    return [] if one == other else [f"{place}: {one!r} instead of {other!r}"]


def names(witness: Witness, run: str) -> Names:
    """Those of a run and of all that it has or had, the longest first, since some hold others."""
    found = [(run, "RUN"), (witness.namespace, "NAMESPACE")]
    uid = witness.run(run).get("metadata", {}).get("uid")
    if uid is not None:
        found += [(uid, "RUN-UID"), (uid[:8], "RUN-UID-8")]
    for child in witness.children_ever(run):
        found.append((child["metadata"]["uid"], f"UID-{attempt_of(child)}"))
        if "nodeName" in child["spec"]:
            found += [(child["metadata"]["name"], f"POD-{attempt_of(child)}"), (child["spec"]["nodeName"], "NODE")]
    return sorted(found, key=lambda pair: len(pair[0]), reverse=True)


def timeless(value: Any) -> Any:
    """A value of JSON without what no two lives share."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if not _is_chance(key)}
    if isinstance(value, str) and value.startswith("{"):
        # What the trainer reads: an object in an annotation.
        return timeless(json.loads(value))
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def _is_chance(key: str) -> bool:
    return key.endswith(_TIMES) or key in _OF_THE_CLOCK or key in _CHANCE


def _part(value: Object, *keys: str) -> Object:
    return {key: value.get(key) for key in keys}
