"""The stages that `training.freeze` counts, of networks that people use."""

from __future__ import annotations

import pytest
from modelyard_trainer.tasks.classification.architecture import build
from modelyard_trainer.tasks.classification.network import stages_of


@pytest.mark.parametrize(
    ("architecture", "stages", "head"),
    [
        ("resnet18", 5, {"backbone.fc.weight", "backbone.fc.bias"}),
        ("vit_tiny_patch16_224", 13, {"backbone.head.weight", "backbone.head.bias"}),
        ("mobilenetv3_small_050", 8, {"backbone.classifier.weight", "backbone.classifier.bias"}),
        ("coin_clip_vit_b32", 14, {"backbone.head.weight", "backbone.head.bias"}),
    ],
)
def test_every_parameter_but_the_heads_is_in_one_stage(architecture: str, stages: int, head: set[str]) -> None:
    model = build(architecture, 3, 224)
    found = stages_of(model)
    names = [name for stage in found for name in stage]
    assert sorted([*names, *head]) == sorted(name for name, _ in model.named_parameters())
    assert len(found) == stages
    assert found[0][0].removeprefix("backbone.").startswith(("conv", "cls_token", "visual.cls_token"))
