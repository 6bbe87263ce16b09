"""The architectures that timm can build, found without importing it (which takes seconds)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.libraries import folder_of

if TYPE_CHECKING:
    from torch import nn

    from modelyard_trainer.tasks.classification.network import Classifier

BACKBONES = "modelyard.backbones"
"""Group of entry points, each named as the architecture that loading it puts into timm's registry."""
COIN_CLIP = "coin_clip_vit_b32"
"""Coin-CLIP's network: CLIP's ViT-B/32 with its projection to 512 dimensions, and a linear layer on that."""
_CLIP, _PROJECTED = "vit_base_patch32_clip_quickgelu_224", 512
"""With the activation that OpenAI's CLIP has, and so all that was trained from its weights."""
_REGISTERED = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)


def check_architecture(name: str) -> None:
    """Refuse a name that timm does not know.

    Raises:
        RunError: ArchitectureUnknown, with the nearest names.
    """
    known = architectures()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.5) or ["resnet18", "resnet50", "convnext_tiny"]
        raise RunError(
            Reason.ARCHITECTURE_UNKNOWN,
            f"spec.model.architecture: timm has no {name}; nearest are {', '.join(near)}",
        )


@cache
def architectures() -> frozenset[str]:
    """The names of all architectures: timm's, and those that installed packages bring."""
    found = {COIN_CLIP, *(entry.name for entry in entry_points(group=BACKBONES))}
    for file in _folder().glob("*.py"):
        found.update(_REGISTERED.findall(file.read_text(encoding="utf-8")))
    return frozenset(found)


def build(name: str, classes: int, image_size: int, dropout: float = 0.0) -> Classifier:
    """The network at a random start, from torch's generator: it takes pictures between 0 and 1 and gives logits.

    Raises:
        RunError: SpecInvalid; it cannot be built for pictures of that size, or not with dropout.
    """
    from modelyard_trainer.tasks.classification.network import Classifier, Projected  # noqa: PLC0415 - imports torch

    if name != COIN_CLIP:
        built = backbone(name, classes, image_size, drop_rate=dropout)
        return Classifier(built.network, built.mean, built.std)
    built = backbone(name, 0, image_size)
    return Classifier(Projected(built.network, _PROJECTED, classes, dropout), built.mean, built.std)


@dataclass(frozen=True)
class Backbone:
    """timm's network, and what it wants to see.

    Attributes:
        network: takes normalised pictures.
        mean, std: of each channel.
        width: of what it gives.
    """

    network: nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    width: int


def backbone(name: str, outputs: int, image_size: int, **options: Any) -> Backbone:
    """A backbone at a random start, from torch's generator. It is tried on one picture.

    Args:
        name: of the architecture.
        outputs: of its last layer; 0 for the features before it, (n, width).
        image_size: side of the pictures, in pixels.
        options: what timm's function takes beside them.

    Raises:
        RunError: SpecInvalid; it cannot be built for pictures of that size or look at them, or not with these options.
    """
    import timm  # noqa: PLC0415 - seconds

    for entry in entry_points(group=BACKBONES, name=name):
        entry.load()
    timm_name = _CLIP if name == COIN_CLIP else name
    outputs = _PROJECTED if name == COIN_CLIP else outputs
    config = timm.get_pretrained_cfg(timm_name)
    if config is not None and config.fixed_input_size and config.input_size[1:] != (image_size, image_size):
        options["img_size"] = image_size
    try:
        network: Any = timm.create_model(timm_name, pretrained=False, num_classes=outputs, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        asked = f" for {image_size} x {image_size} pixels" if "img_size" in options else ""
        first = str(error).strip().partition("\n")[0]
        raise RunError(
            Reason.SPEC_INVALID, f"spec.model.architecture: {name} cannot be built{asked}: {first}"
        ) from error
    _try(name, network, image_size)
    mean, std = (config.mean, config.std) if config is not None else ((0.5,) * 3, (0.5,) * 3)
    return Backbone(network, mean, std, outputs or network.head_hidden_size)


def _try(name: str, network: nn.Module, image_size: int) -> None:
    """What halves its picture until nothing is left says so in its first step, and then in words of its own."""
    import torch  # noqa: PLC0415 - seconds

    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, image_size, image_size))
    except (ValueError, AssertionError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.imageSize: {name} cannot look at pictures of {image_size} x {image_size} pixels: {first}",
        ) from error
    network.train()


def _folder() -> Path:
    return folder_of("timm", "this task", "another trainer image") / "models"
