"""Where training libraries lie: what they offer is read from their files, since importing one takes seconds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError


def folder_of(library: str, task: str, instead: str) -> Path:
    """The folder of a library that the task needs.

    Args:
        library: name of its package.
        task: what needs it.
        instead: which image to use where it is not there.

    Raises:
        RunError: SpecInvalid; this image does without it.
    """
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise RunError(
            Reason.SPEC_INVALID, f"spec.task: this image holds no {library}, which {task} needs; use {instead}"
        )
    return Path(spec.origin).parent
