"""Files of weights, whoever wrote them: tensors by name, never programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tensors import read_tensors
from modelyard_trainer.weights.model import FetchedWeights

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPINGS = ("state_dict_ema", "state_dict", "model_state_dict", "model", "ema", "weights")
"""Where training programs put the network among other things, the better one first."""
_ZIP = b"PK"
_MODULE = re.compile(r"asks for ultralytics\.")


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and what the file says of them.

    Attributes:
        tensors: on the CPU.
        form: format of a file of ours, such as modelyard/classification/v1; None for others.
        classes: what the outputs mean, where the file says it.
        said: all that a file of ours holds beside the tensors.
    """

    tensors: Mapping[str, Tensor]
    form: str | None
    classes: tuple[str, ...] | None
    said: Mapping[str, Any]


def read_weights(fetched: FetchedWeights) -> Weights:
    """What a file holds: .safetensors, or what torch.save made of a state dict, bare or within other things.

    Raises:
        RunError: WeightsInvalid; it is no such file, or holds more than data.
    """
    try:
        return _read(fetched.path)
    except ValueError as error:
        raise RunError(Reason.WEIGHTS_INVALID, f"{fetched.origin}: {_with_advice(str(error))}") from error


def _with_advice(message: str) -> str:
    if not _MODULE.search(message):
        return message
    return (
        f"{message}. ultralytics' own files are pickled modules: where ultralytics is installed and the file is "
        'trusted, `torch.save(YOLO("yolov8n.pt").model.float().state_dict(), "yolov8n.pth")` makes one that is data'
    )


def _read(path: Path) -> Weights:
    with path.open("rb") as file:
        magic = file.read(len(_ZIP))
    if magic != _ZIP and path.suffix == ".safetensors":
        return Weights(_safetensors(path), None, None, {})
    content = read_tensors(path)
    form = content.get("format")
    tensors = _tensors_in(content)
    if not tensors:
        raise ValueError(f"{path.name} holds no tensors by name")
    names = content.get("names")
    ours = isinstance(form, str) and form.startswith("modelyard/")
    classes = tuple(names[number] for number in range(len(names))) if ours and isinstance(names, dict) else None
    return Weights(tensors, form if ours else None, classes, content if ours else {})


def _tensors_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch  # noqa: PLC0415 - seconds

    inner = next((content[name] for name in _WRAPPINGS if isinstance(content.get(name), Mapping)), content)
    return {name: value for name, value in inner.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError  # noqa: PLC0415 - only where there is such a file
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a file of safetensors ({error})") from error
