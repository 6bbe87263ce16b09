"""A snapshot's state as a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard_trainer.tensors import read_tensors

TENSORS, PLAIN = ".pt", ".state.json"
GRADIENTS = "gradients"
"""What a state calls its pending gradients, at whatever depth."""


def write_state(state: Mapping[str, Any], folder: Path, name: str) -> Path:
    """Write `state` as `name` with the suffix of its format: JSON where that says it all, torch's otherwise.

    So a task without torch needs none for its checkpoints either.
    """
    text = _as_json(state)
    if text is not None:
        path = folder / f"{name}{PLAIN}"
        path.write_text(text, encoding="utf-8")
        return path
    import torch  # noqa: PLC0415 - seconds

    path = folder / f"{name}{TENSORS}"
    torch.save(dict(state), path)
    return path


def read_state(path: Path) -> Mapping[str, Any]:
    """Read what `write_state` wrote. Nothing in the file is run.

    Raises:
        ValueError: it is not such a file; the message is a sentence about it.
    """
    if not path.name.endswith(PLAIN):
        return read_tensors(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not a dictionary")  # noqa: TRY004 - as above
    return content


def has_diverged(state: object) -> bool:
    """Whether some tensor of a state holds NaN: nothing good can come of going on from it.

    Gradients that are still pending may: with 16 bits they overflow now and then, and the scaler leaves that step out.
    """
    if isinstance(state, Mapping):
        return any(has_diverged(each) for name, each in state.items() if name != GRADIENTS)
    if isinstance(state, list | tuple):
        return any(has_diverged(each) for each in state)
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(state, torch.Tensor) or not state.is_floating_point():
        return False
    return bool(state.isnan().any())


def _as_json(state: Mapping[str, Any]) -> str | None:
    """The state as JSON; None where reading that would give something else."""
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return text if _same(json.loads(text), state) else None


def _same(read: object, written: object) -> bool:
    """Whether they are equal to the type: 1 is not 1.0 here, nor a list a tuple."""
    if type(read) is not type(written):
        return False
    if isinstance(read, dict) and isinstance(written, dict):
        return list(read) == list(written) and all(_same(read[key], written[key]) for key in read)
    if isinstance(read, list) and isinstance(written, list):
        return len(read) == len(written) and all(map(_same, read, written))
    return read == written
