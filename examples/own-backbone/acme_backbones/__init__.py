"""A team's own backbone, in timm's registry under its own name."""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet


@register_model
def acme_resnet10(pretrained: bool = False, **options: Any) -> ResNet:
    """A ResNet of one block a stage.

    Args:
        pretrained: weights come by `spec.model.pretrained`, so that there are none to ask for here.
        options: timm's, such as num_classes.

    Raises:
        ValueError: pretrained weights were asked for.
    """
    if pretrained:
        raise ValueError("acme_resnet10 has no weights of its own; spec.model.pretrained names some")
    for known in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        options.pop(known, None)
    block: Any = BasicBlock  # timm's annotation asks for an instance, its code for the class
    return ResNet(block=block, layers=(1, 1, 1, 1), **options)
