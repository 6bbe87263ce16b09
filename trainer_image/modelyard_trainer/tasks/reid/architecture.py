"""torchreid's OSNet networks, and nothing else of torchreid.

`import torchreid` runs its engines, which import TensorBoard, gdown and OpenCV. The two files that define the networks
import torch alone: they are loaded by their path, without the packages that they lie in.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.libraries import folder_of

if TYPE_CHECKING:
    from modelyard_trainer.tasks.reid.network import Reidentifier

_FILES = ("osnet", "osnet_ain")
_NETWORK = re.compile(r"^def (osnet_\w+)\(", re.MULTILINE)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, which torchreid normalises with."""


def check_architecture(name: str) -> None:
    """Refuse a name that is no OSNet of torchreid's.

    Raises:
        RunError: ArchitectureUnknown, with the nearest names; SpecInvalid where torchreid is not there.
    """
    known = architectures()
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=4, cutoff=0.5) or ["osnet_x1_0", "osnet_ibn_x1_0"]
        raise RunError(
            Reason.ARCHITECTURE_UNKNOWN,
            f"spec.model.architecture: torchreid has no OSNet {name}; nearest are {', '.join(near)}",
        )


@cache
def architectures() -> frozenset[str]:
    """The names of all networks."""
    return frozenset(name for file in _FILES for name in _NETWORK.findall(_path(file).read_text(encoding="utf-8")))


def build(name: str, persons: int, *, normalize: bool, unit: bool) -> Reidentifier:
    """The network at a random start, from torch's generator.

    Args:
        name: of the architecture.
        persons: whom the classifier tells apart.
        normalize: whether pictures are normalised as ImageNet's are.
        unit: whether embeddings have the length 1.
    """
    from modelyard_trainer.tasks.reid.network import Reidentifier  # noqa: PLC0415 - imports torch

    file = next(file for file in reversed(_FILES) if name.startswith(file))
    # `triplet` is torchreid's word for a network that gives logits and features in training.
    backbone = getattr(_module(file), name)(num_classes=persons, loss="triplet", pretrained=False)
    mean, std = (_MEAN, _STD) if normalize else ((0.0,) * 3, (1.0,) * 3)
    return Reidentifier(backbone, mean, std, unit=unit)


@cache
def _module(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"modelyard_torchreid_{file}", _path(file))
    assert spec is not None and spec.loader is not None  # noqa: S101 - the file is there
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _path(file: str) -> Path:
    return folder_of("torchreid", "re-identification", "another trainer image") / "reid" / "models" / f"{file}.py"
