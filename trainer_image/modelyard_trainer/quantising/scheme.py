"""Which layers of a network compute in 8 bits, and which normalisation becomes part of one. Imports torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelyard_trainer.quantising.layers import KINDS, Quantised

_CLOSE = 1e-3
"""Largest difference of outputs, as a share of the largest of them, that the sums of folded layers may make."""


@dataclass(frozen=True)
class Scheme:
    """How a network becomes one that computes in 8 bits.

    Attributes:
        layers: names of those that are replaced.
        folded: name of a layer, and of the normalisation that becomes part of it.
    """

    layers: tuple[str, ...]
    folded: Mapping[str, str]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """What `state` gave."""
        return cls(tuple(state["layers"]), dict(state["folded"]))

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return {"layers": list(self.layers), "folded": dict(self.folded)}

    def apply(self, network: nn.Module) -> tuple[Quantised, ...]:
        """Make it of a network, in place.

        Returns:
            The layers in 8 bits.
        """
        fold(network, self.folded)
        made = []
        for name in self.layers:
            plain = network.get_submodule(name)
            made.append(layer := KINDS[type(plain)](plain).train(plain.training))  # type: ignore[arg-type]
            network.set_submodule(name, layer)
        return tuple(made)


def scheme_of(network: nn.Module, example: Tensor) -> Scheme:
    """All layers that a network runs, and all normalisation that is applied to what one of them gives and nothing else.

    Args:
        network: takes `example`, on the same device; it is left as it is.
        example: of its inputs, no two numbers alike.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), _watched(network) as calls:
            before = network(example)
            names = tuple(name for name in dict.fromkeys(calls.ran) if type(network.get_submodule(name)) in KINDS)
        folded = {
            layer: norm
            for layer, norm in calls.pairs.items()
            if calls.ran.count(layer) == calls.ran.count(norm) == 1
            and _can_fold(network.get_submodule(layer), network.get_submodule(norm))
        }
        other = copy.deepcopy(network)
        fold(other, folded)
        with torch.no_grad():
            difference = (other(example) - before).abs().max()
    finally:
        network.train(was_training)
    # What somebody else looks at between a layer and its normalisation cannot be folded; which one it is, is not told.
    return Scheme(names, folded if difference <= _CLOSE * before.abs().max() else {})


@torch.no_grad()
def fold(network: nn.Module, folded: Mapping[str, str]) -> None:
    """Make normalisation part of the layers before it, in place, with the statistics that it has."""
    for name, after in folded.items():
        layer, norm = network.get_submodule(name), network.get_submodule(after)
        assert isinstance(layer, nn.Conv2d | nn.Linear)  # noqa: S101 - as `scheme_of` chose
        assert isinstance(norm, _BatchNorm)  # noqa: S101
        assert norm.running_mean is not None  # noqa: S101
        assert norm.running_var is not None  # noqa: S101
        gain = (norm.running_var + norm.eps).rsqrt()
        if norm.weight is not None:
            gain = gain * norm.weight
        shift = -norm.running_mean * gain if norm.bias is None else norm.bias - norm.running_mean * gain
        bias = shift if layer.bias is None else shift + layer.bias * gain
        layer.weight.copy_(layer.weight * gain.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        layer.bias = nn.Parameter(bias.clone(), requires_grad=layer.weight.requires_grad)
        network.set_submodule(after, _without_norm(norm))


@dataclass
class _Calls:
    """What a network ran: names, in their order, and which normalisation took what a layer gave."""

    ran: list[str]
    pairs: dict[str, str]


@contextmanager
def _watched(network: nn.Module) -> Iterator[_Calls]:
    calls = _Calls([], {})
    given: dict[int, tuple[str, Tensor]] = {}  # the tensors are kept, so that no other one gets their number
    hooks = []

    def gave(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            calls.ran.append(name)
            given[id(output)] = (name, output)

        return hook

    def takes(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            calls.ran.append(name)
            if id(inputs[0]) in given:
                calls.pairs[given[id(inputs[0])][0]] = name

        return hook

    for name, module in network.named_modules():
        if type(module) in KINDS:
            hooks.append(module.register_forward_hook(gave(name)))
        elif isinstance(module, _BatchNorm):
            hooks.append(module.register_forward_pre_hook(takes(name)))
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _can_fold(layer: nn.Module, norm: nn.Module) -> bool:
    assert isinstance(norm, _BatchNorm)  # noqa: S101 - as `_watched` looked for
    channels = layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features
    known = type(norm) in {nn.BatchNorm1d, nn.BatchNorm2d} or _is_timms(norm)
    return bool(known) and norm.running_mean is not None and bool(channels == norm.num_features)


def _without_norm(norm: _BatchNorm) -> nn.Module:
    """What is left of it: timm's holds an activation, too."""
    return nn.Sequential(norm.get_submodule("drop"), norm.get_submodule("act")) if _is_timms(norm) else nn.Identity()


def _is_timms(norm: _BatchNorm) -> bool:
    from timm.layers.norm_act import BatchNormAct2d  # noqa: PLC0415 - seconds

    return type(norm) is BatchNormAct2d
