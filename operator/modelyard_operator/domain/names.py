"""Names and labels that tie a run, its Jobs and its pods together."""

from __future__ import annotations

import hashlib
import re

from modelyard_api import GROUP

RUN_LABEL = f"{GROUP}/run"
"""Name of the run, shortened where it is too long for a label: for people and their selectors."""
RUN_UID_LABEL = f"{GROUP}/run-uid"
"""UID of the run: what the operator goes by."""
ATTEMPT_LABEL = f"{GROUP}/attempt"
GPU_TYPE_LABEL = f"{GROUP}/gpu-type"
"""Label of nodes that says what GPUs they have."""
GENERATION_ANNOTATION = f"{GROUP}/generation"
"""Generation of the run's spec that a Job was made from."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

CONTAINER = "trainer"

MAX_LABEL = 63
_UID_PIECE = 8
_LONGEST_ATTEMPT = 6
_MAX_JOB_NAME = 63 - 6
"""Pods are named after their Job with six more characters, and their name becomes their host name."""


def shortened(text: str, length: int) -> str:
    """`text` if it fits into `length`, else its beginning and a digest that keeps it apart from its like."""
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{text[: length - 7].rstrip('-.')}-{digest}"


def run_label(run_name: str) -> str:
    """The value of RUN_LABEL for a run of this name."""
    return shortened(run_name, MAX_LABEL)


def job_name(run_name: str, run_uid: str, attempt: int) -> str:
    """The name of an attempt's Job, the same whenever it is asked for: a DNS label of at most 57 characters.

    The piece of the UID keeps a run apart from an earlier one of its name.
    """
    stem = re.sub(r"[^a-z0-9-]", "-", run_name)
    room = _MAX_JOB_NAME - _UID_PIECE - _LONGEST_ATTEMPT - 2
    return f"{shortened(stem, room).strip('-')}-{run_uid[:_UID_PIECE]}-{attempt}"
