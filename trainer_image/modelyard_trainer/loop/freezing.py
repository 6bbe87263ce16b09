"""Parts of a network that are not trained: always, or for the first epochs. Imports torch."""

from __future__ import annotations

from collections.abc import Collection

from modelyard_api.outcome import Reason
from modelyard_api.spec import Training
from torch import nn

from modelyard_trainer.errors import RunError

Stages = tuple[tuple[str, ...], ...]
"""Names of a backbone's parameters, stage by stage from the input. All others are the head's."""


class Freezing:
    """Keeps parameters as they are: always, or for the first epochs.

    What is frozen has no gradient, its normalisation keeps its statistics, and its dropout leaves nothing out. None of
    that has a history: it follows from the epoch, so that a training which is resumed needs nothing to restore.

    Make it before the optimizer: what is frozen always is then none of its parameters, what thaws is.

    Args:
        model: the network.
        names: of the parameters.
        epochs: for how many; 0 for all.
    """

    def __init__(self, model: nn.Module, names: Collection[str], epochs: int) -> None:
        wanted = set(names)
        self._epochs = epochs
        # Those that never learn, of a fixed kernel for example, must not begin to when the others thaw.
        self._parameters = [value for name, value in model.named_parameters() if name in wanted and value.requires_grad]
        self._modules = [
            module
            for prefix, module in model.named_modules()
            if (inner := [f"{prefix}.{name}" if prefix else name for name, _ in module.named_parameters()])
            and wanted.issuperset(inner)
        ]
        if not epochs:
            self._learn(False)

    def begin(self, epoch: int) -> None:
        """Make the network ready for an epoch (counted from 0); after `model.train()`, before each one."""
        frozen = not self._epochs or epoch < self._epochs
        self._learn(not frozen)
        if frozen:
            for module in self._modules:
                module.eval()

    def _learn(self, learns: bool) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(learns)


def freezing_of(training: Training, model: nn.Module, stages: Stages, *, backbone: int, name: str) -> Freezing:
    """What `freeze`, `freezeBackbone` and `freezeEpochs` ask for.

    Args:
        training: the settings.
        model: the network.
        stages: of it, from the input.
        backbone: how many of them are its backbone.
        name: of its architecture.

    Raises:
        RunError: SpecInvalid; there are fewer stages than are to be frozen.
    """
    count = backbone if training.freeze_backbone else training.freeze
    if training.freeze_backbone and not stages:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.freezeBackbone: nobody has said what of {name} is its backbone; false would be right",
        )
    if count > len(stages):
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.training.freeze: {training.freeze}, but {name} has {len(stages)} layers before its head; "
            f"{len(stages)} at most would be right",
        )
    names = {each for stage in stages[:count] for each in stage}
    return Freezing(model, names, training.freeze_epochs)


def head_of(model: nn.Module, stages: Stages) -> frozenset[str]:
    """Names of the parameters that are in no stage."""
    return frozenset(name for name, _ in model.named_parameters()).difference(*stages)


def children_as_stages(model: nn.Module, *, head: Collection[str] = (), prefix: str = "") -> Stages:
    """Each child of a network that has parameters as a stage, in their order.

    Args:
        model: the network, or the part of it that is the backbone.
        head: names of children that are none.
        prefix: what the names of its parameters begin with in the network that is trained, such as `backbone.`.
    """
    children = (
        tuple(f"{prefix}{name}.{inner}" for inner, _ in child.named_parameters())
        for name, child in model.named_children()
        if name not in head
    )
    return tuple(names for names in children if names)
