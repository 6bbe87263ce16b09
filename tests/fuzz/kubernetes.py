"""Kubernetes' own rules for what a Job of ours holds: `tests/api` shows some of the Jobs to the API server itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MOST_ANNOTATIONS = 256 * 1024


def broken_rules(job: Manifest) -> Iterator[str]:
    """A sentence for each rule that a Job breaks."""
    metadata, template = job["metadata"], job["spec"]["template"]
    pod = template["spec"]
    # Pods are named after their Job with six characters more, and their name becomes their host name.
    if not _LABEL.fullmatch(metadata["name"]) or len(metadata["name"]) > 63 - 6:
        yield f"{metadata['name']!r} is no name of a Job"
    for labels in (metadata["labels"], template["metadata"]["labels"], pod.get("nodeSelector", {})):
        for key, value in labels.items():
            if not _is_qualified(key) or len(value) > 63 or not (value == "" or _NAME.fullmatch(value)):
                yield f"{key!r}: {value!r} is no label"
    for notes in (metadata["annotations"], template["metadata"]["annotations"]):
        if not all(_is_qualified(key) for key in notes):
            yield f"one of {list(notes)} is no key of an annotation"
        if sum(len(key) + len(value.encode()) for key, value in notes.items()) > _MOST_ANNOTATIONS:
            yield "the annotations are too long"
    names = [pod.get("serviceAccountName"), pod.get("priorityClassName")]
    names += [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    yield from (f"{name!r} is no name" for name in names if name is not None and not _is_name(name))
    tolerations = pod.get("tolerations", ())
    yield from (f"{one['key']!r} is no key of a taint" for one in tolerations if not _is_qualified(one["key"]))


def _is_name(text: str) -> bool:
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return (_is_name(prefix) if slash else True) and len(name) <= 63 and _NAME.fullmatch(name) is not None
