"""The architectures that ultralytics can build, found without importing it (which takes seconds)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.libraries import folder_of

_DETECTION_HEADS = frozenset({"Detect", "v10Detect"})
_SCALED = re.compile(r"(?P<family>yolo(?:v)?\d+)(?P<variant>-.+)?")
_FEWEST_STRIDE, _P6_STRIDE = 32, 64


@dataclass(frozen=True)
class Architecture:
    """An architecture: the name that was asked for, and the name of the file that ultralytics builds it from."""

    name: str
    file: str

    @property
    def stride(self) -> int:
        """Largest stride in pixels; the image size must be a multiple of it."""
        return _P6_STRIDE if "-p6" in self.file else _FEWEST_STRIDE


def find_architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        RunError: ArchitectureUnknown, with the nearest names.
    """
    known = architectures()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.5) or ["yolov5nu", "yolov8n", "yolo11n", "yolo26n"]
        raise RunError(
            Reason.ARCHITECTURE_UNKNOWN,
            f"spec.model.architecture: ultralytics has no {name}; nearest are {', '.join(near)}",
        )
    return known[name]


@cache
def architectures() -> Mapping[str, Architecture]:
    """Every architecture for detection by name.

    YOLOv3 and YOLOv5 have the anchor-free head that ultralytics marks with a u (`yolov5nu`, `yolov5n6u`, `yolov3u`);
    the names without it are not offered, since they mean another network to those who know them.
    """
    found: dict[str, Architecture] = {}
    for file in sorted(_folder().glob("*/*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if content["head"][-1][2] not in _DETECTION_HEADS:
            continue
        scales = content.get("scales") or {}
        match = _SCALED.fullmatch(file.stem)
        stems = [file.stem]
        if len(scales) > 1 and match:
            stems = [f"{match['family']}{scale}{match['variant'] or ''}" for scale in scales]
        for stem in stems:
            name = _with_u(stem)
            found[name] = Architecture(name, f"{stem}.yaml")
    return found


def _with_u(stem: str) -> str:
    if not stem.startswith(("yolov3", "yolov5")):
        return stem
    return f"{stem.removesuffix('-p6')}{'6' if stem.endswith('-p6') else ''}u"


def _folder() -> Path:
    return folder_of("ultralytics", "detection", "the detection trainer image") / "cfg" / "models"
