"""Operators that the description does not name, as equal or near ones that it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from modelyard_trainer.exports.graphs import attributes, constants, makers, put_before, shapes


class NearGelu(nn.Module):
    """x times sigmoid(1.702 x): near GELU, whose error function nobody names (arXiv:1606.08415, section 2)."""

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        return values * torch.sigmoid(values * 1.702)


def with_near_modules(network: nn.Module) -> list[str]:
    """Replace each GELU, in place; gives what was done, as short phrases."""
    names = [name for name, module in network.named_modules() if type(module) is nn.GELU]
    for name in names:
        network.set_submodule(name, NearGelu())
    return [f"{len(names)} GELU by x * sigmoid(1.702 x)"] if names else []


def with_equal_nodes(graph: onnx.ModelProto) -> list[str]:
    """Replace what has an equal, in place; gives what was done, as short phrases."""
    done = [
        (_normalisation(graph), "the normalisation of the input by a depthwise convolution"),
        (_scaled(graph), "products with one number by depthwise convolutions"),
        (_means(graph), "means over height and width by GlobalAveragePool"),
        (_averages(graph), "average pooling by depthwise convolutions"),
    ]
    return [f"{count} x {what}" if count > 1 else what for count, what in done if count]


def _normalisation(graph: onnx.ModelProto) -> int:
    """(x - mean) / std of three channels."""
    known, made = constants(graph), makers(graph)
    for div in [each for each in graph.graph.node if each.op_type == "Div"]:
        sub = made.get(div.input[0])
        if sub is None or sub.op_type != "Sub" or sub.input[0] != graph.graph.input[0].name:
            continue
        if div.input[1] not in known or sub.input[1] not in known:
            continue
        std, mean = (known[node.input[1]].astype(np.float64).reshape(-1) for node in (div, sub))
        if std.shape == mean.shape:
            _convolve(graph, div, sub.input[0], 1 / std.reshape(-1, 1, 1, 1), bias=-mean / std)
            graph.graph.node.remove(sub)
            return 1
    return 0


def _scaled(graph: onnx.ModelProto) -> int:
    """Of pictures (4 dimensions) with a number for all or one for each channel."""
    known, sizes, count = constants(graph), shapes(graph), 0
    for node in list(graph.graph.node):
        given = [name for name in node.input if name not in known]
        size = sizes.get(node.output[0], ())
        if node.op_type not in {"Mul", "Div"} or len(given) != 1 or len(size) != 4 or node.input[0] in known:
            continue
        factor = known[node.input[1]].astype(np.float64)
        if factor.size not in {1, size[1]} or (factor.size > 1 and factor.shape[-2:] != (1, 1)):
            continue
        factor = 1 / factor if node.op_type == "Div" else factor
        _convolve(graph, node, given[0], np.broadcast_to(factor.reshape(-1), size[1]).reshape(-1, 1, 1, 1))
        count += 1
    return count


def _means(graph: onnx.ModelProto) -> int:
    known, sizes, count = constants(graph), shapes(graph), 0
    for node in [each for each in graph.graph.node if each.op_type == "ReduceMean"]:
        asked = attributes(node)
        axes = asked.get("axes") or (known[node.input[1]].tolist() if len(node.input) > 1 else [])
        if len(sizes.get(node.input[0], ())) != 4 or sorted(axis % 4 for axis in axes) != [2, 3]:
            continue
        whole = node.output[0] if asked.get("keepdims", 1) else f"{node.name}/whole"
        made = [onnx.helper.make_node("GlobalAveragePool", [node.input[0]], [whole], f"{node.name}/pool")]
        if whole != node.output[0]:
            made.append(onnx.helper.make_node("Flatten", [whole], [node.output[0]], f"{node.name}/flat", axis=1))
        _replace(graph, node, *made)
        count += 1
    return count


def _averages(graph: onnx.ModelProto) -> int:
    sizes, count = shapes(graph), 0
    for node in list(graph.graph.node):
        asked = attributes(node)
        if node.op_type != "AveragePool" or any(asked.get("pads", ())):
            continue
        kernel, strides = asked["kernel_shape"], asked.get("strides", [1, 1])
        sides = sizes[node.input[0]]
        # What would be rounded up would be a mean of fewer.
        uneven = any((side - size) % stride for side, size, stride in zip(sides[2:], kernel, strides, strict=True))
        if asked.get("ceil_mode", 0) and uneven:
            continue
        weight = np.full((sides[1], 1, *kernel), 1 / np.prod(kernel))
        _convolve(graph, node, node.input[0], weight, strides=list(strides))
        count += 1
    return count


def _convolve(
    graph: onnx.ModelProto,
    node: onnx.NodeProto,
    taken: str,
    weight: NDArray[Any],
    *,
    bias: NDArray[Any] | None = None,
    **asked: Any,
) -> None:
    """A depthwise convolution in a node's place."""
    names = []
    for kind, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            names.append(f"{node.name}/{kind}")
            graph.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), names[-1]))
    made = onnx.helper.make_node(
        "Conv",
        [taken, *names],
        [node.output[0]],
        f"{node.name}/conv",
        group=len(weight),
        kernel_shape=list(weight.shape[2:]),
        **asked,
    )
    _replace(graph, node, made)


def _replace(graph: onnx.ModelProto, node: onnx.NodeProto, *others: onnx.NodeProto) -> None:
    put_before(graph, node, *others)
    graph.graph.node.remove(node)
