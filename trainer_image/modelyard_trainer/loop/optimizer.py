"""The optimizer exactly as asked."""

from __future__ import annotations

from typing import Any

import torch
from modelyard_api.spec import Optimizer as Asked
from modelyard_api.spec import OptimizerName
from torch import nn

DEFAULT_BETA2 = 0.999
_CLASSES: dict[OptimizerName, type[torch.optim.Optimizer]] = {
    OptimizerName.ADAMW: torch.optim.AdamW,
    OptimizerName.ADAM: torch.optim.Adam,
    OptimizerName.ADAMAX: torch.optim.Adamax,
    OptimizerName.NADAM: torch.optim.NAdam,
    OptimizerName.RADAM: torch.optim.RAdam,
    OptimizerName.RMSPROP: torch.optim.RMSprop,
    OptimizerName.SGD: torch.optim.SGD,
}


def build_optimizer(model: nn.Module, asked: Asked) -> torch.optim.Optimizer:
    """The optimizer of a model's parameters that want gradients. SGD's momentum is Nesterov's, as in ultralytics."""
    options: dict[str, Any] = {"lr": asked.learning_rate}
    if asked.name is OptimizerName.SGD:
        options |= {"momentum": asked.momentum, "nesterov": asked.momentum > 0}
    elif asked.name is OptimizerName.RMSPROP:
        options |= {"momentum": asked.momentum}
    else:
        options |= {"betas": (asked.momentum, DEFAULT_BETA2 if asked.beta2 is None else asked.beta2)}
    if asked.eps is not None:
        options |= {"eps": asked.eps}
    if asked.amsgrad is not None:
        options |= {"amsgrad": asked.amsgrad}
    optimizer = _CLASSES[asked.name](parameter_groups(model, asked.weight_decay), **options)
    for group in optimizer.param_groups:
        group["initial_lr"] = asked.learning_rate
    return optimizer


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights with decay; biases, normalisation and other vectors without."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = (
        {"params": [parameter for parameter in wanted if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in wanted if parameter.ndim <= 1], "weight_decay": 0.0},
    )
    return [group for group in groups if group["params"]]
