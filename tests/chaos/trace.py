"""What a run has left behind, without what no two lives share: names, UIDs, times."""

from __future__ import annotations

import json
from typing import Any

from tests.chaos.witness import Object, Witness
from tests.integration.namespace_view import attempt_of

_OF_THE_CLOCK = ("activeSeconds", "elapsed", "eta")
_TIMES = ("At", "Time", "Timestamp")
_CHANCE = ("uid", "resourceVersion", "managedFields")


def trace(witness: Witness, run: str) -> Any:
    """Status, and names, labels, annotations and specs of the Jobs, to be compared with another life's."""
    found = witness.run(run)
    jobs = witness.jobs(run)
    left = {
        "status": found.get("status"),
        "jobs": [{**_part(job["metadata"], "name", "labels", "annotations"), "spec": job["spec"]} for job in jobs],
    }
    text = json.dumps(_timeless(left))
    for name, stands_for in _names(witness.namespace, run, found["metadata"]["uid"], witness.children_ever(run)):
        text = text.replace(name, stands_for)
    return json.loads(text)


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """A line for each place where two traces differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{place}[{number}]")]
    return [] if one == other else [f"{place}: {one!r} instead of {other!r}"]


def _names(namespace: str, run: str, uid: str, children: list[Object]) -> list[tuple[str, str]]:
    """What to replace by what, the longest first, since some hold others."""
    found = [(uid, "RUN-UID"), (uid[:8], "RUN-UID-8"), (run, "RUN"), (namespace, "NAMESPACE")]
    for child in children:
        found.append((child["metadata"]["uid"], f"UID-{attempt_of(child)}"))
        if "nodeName" in child["spec"]:
            found += [(child["metadata"]["name"], f"POD-{attempt_of(child)}"), (child["spec"]["nodeName"], "NODE")]
    return sorted(found, key=lambda pair: len(pair[0]), reverse=True)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if not _is_chance(key)}
    if isinstance(value, str) and value.startswith("{"):
        # What the trainer reads: an object in an annotation.
        return _timeless(json.loads(value))
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def _is_chance(key: str) -> bool:
    return key.endswith(_TIMES) or key in _OF_THE_CLOCK or key in _CHANCE


def _part(value: Object, *keys: str) -> Object:
    return {key: value.get(key) for key in keys}
