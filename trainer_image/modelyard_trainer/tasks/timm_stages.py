"""The stages of timm's networks. Imports timm, which takes seconds."""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters

from modelyard_trainer.loop.freezing import Stages, children_as_stages


def timm_stages(network: Any, prefix: str = "") -> Stages:
    """The parameters of a backbone by stage, as timm itself groups them; those of its classifier are in none.

    A ResNet has its stem and four stages, a vision transformer its embedding and a stage for each block. What follows
    the last block, such as a normalisation, belongs to the last stage.

    Args:
        network: made by `timm.create_model`.
        prefix: what the names of its parameters begin with in the network that is trained, such as `backbone.`.
    """
    head = _head(network)
    if not hasattr(network, "group_matcher"):
        return children_as_stages(network, head={name.partition(".")[0] for name in head}, prefix=prefix)
    groups = group_parameters(network, network.group_matcher(coarse=True))
    stages = [tuple(f"{prefix}{name}" for name in groups[number] if name not in head) for number in sorted(groups)]
    return tuple(names for names in stages if names)


def all_stages(network: Any, prefix: str = "") -> Stages:
    """As `timm_stages`, of a network whose classifier, if it has one, is a projection: that is its last stage."""
    stages = timm_stages(network, prefix)
    known = {name for names in stages for name in names}
    projection = tuple(f"{prefix}{name}" for name, _ in network.named_parameters() if f"{prefix}{name}" not in known)
    return (*stages, projection) if projection else stages


def _head(network: Any) -> set[str]:
    """Names of the classifier's parameters, of which a distilled network has two."""
    classifier = network.get_classifier()
    modules = classifier if isinstance(classifier, tuple | list) else (classifier,)
    own = {id(value) for module in modules if module is not None for value in module.parameters()}
    return {name for name, value in network.named_parameters() if id(value) in own}
