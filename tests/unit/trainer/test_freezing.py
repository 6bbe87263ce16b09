"""What of a network is trained, and when."""

from __future__ import annotations

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_api.spec import Optimizer, Training
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.freezing import Freezing, children_as_stages, freezing_of
from modelyard_trainer.loop.optimizer import build_optimizer
from torch import nn


def network() -> nn.Sequential:
    """A stage with normalisation and dropout, one with a fixed kernel, and a head."""
    stage = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    fixed = nn.Linear(2, 2)
    fixed.weight.requires_grad_(False)
    return nn.Sequential(stage, fixed, nn.Linear(2, 1))


def frozen(model: nn.Module, **training: object) -> Freezing:
    stages = children_as_stages(model, head=("2",))
    settings = Training.model_validate({"epochs": 10, **training})
    return freezing_of(settings, model, stages, backbone=len(stages), name="resnet18")


def learning(model: nn.Module) -> set[str]:
    return {name for name, value in model.named_parameters() if value.requires_grad}


HEAD = {"2.weight", "2.bias"}
FIRST = {"0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"}


def test_what_is_frozen_always_is_no_parameter_of_the_optimizer() -> None:
    model = network()
    freezing = frozen(model, freezeBackbone=True)
    optimizer = build_optimizer(model, Optimizer())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(HEAD)
    for epoch in (0, 9):
        freezing.begin(epoch)
        assert learning(model) == HEAD


def test_what_thaws_is_one_from_the_start_and_begins_with_its_epoch() -> None:
    model = network()
    freezing = frozen(model, freeze=1, freezeEpochs=2)
    optimizer = build_optimizer(model, Optimizer())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 7
    freezing.begin(1)
    assert learning(model) == {"1.bias", *HEAD}
    freezing.begin(2)
    assert learning(model) == {"1.bias", *HEAD, *FIRST}, "a fixed kernel stays as it is"


def test_frozen_layers_keep_their_statistics_and_leave_nothing_out() -> None:
    model = network()
    freezing = frozen(model, freeze=1, freezeEpochs=1)
    model.train()
    freezing.begin(0)
    stage, batch = model[0], torch.randn(8, 2)
    assert isinstance(stage, nn.Sequential)
    assert torch.equal(stage(batch), stage(batch))
    assert int(stage.get_buffer("1.num_batches_tracked")) == 0
    assert model.training
    model.train()
    freezing.begin(1)
    stage(batch)
    assert int(stage.get_buffer("1.num_batches_tracked")) == 1


def test_more_layers_than_there_are_is_refused_with_how_many_there_are() -> None:
    with pytest.raises(RunError) as refusal:
        frozen(network(), freeze=3)
    assert refusal.value.reason is Reason.SPEC_INVALID
    assert refusal.value.message == (
        "spec.training.freeze: 3, but resnet18 has 2 layers before its head; 2 at most would be right"
    )


def test_stages_keep_their_names_behind_a_prefix() -> None:
    inner = network()
    assert children_as_stages(inner, head=("2",), prefix="backbone.") == (
        ("backbone.0.0.weight", "backbone.0.0.bias", "backbone.0.1.weight", "backbone.0.1.bias"),
        ("backbone.1.weight", "backbone.1.bias"),
    )
