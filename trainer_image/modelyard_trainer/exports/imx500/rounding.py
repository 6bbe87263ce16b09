"""Where a graph rounds to 8 bits, and to which numbers.

Weights are symmetric with a threshold for each channel, activations have one threshold that is a power of two, as the
description says. Each is a node of mct_quantizers, Sony's package whose files the converter takes. What these nodes
compute stands in the file as ONNX functions, so that ONNX Runtime runs what is judged and published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from modelyard_trainer.exports.graphs import attributes, constants, makers, put_before, readers

DOMAIN = "mct_quantizers"
_VERSION = "1.7.0"
"""Of that package: its operators were seen to compute what ours do."""
Range = tuple[float, float]
"""Lowest and highest number that an activation was seen with."""
_BITS = 8
_KEEPS_NUMBERS = frozenset(
    (
        *("MaxPool", "Pad", "Flatten", "Reshape", "Squeeze", "Unsqueeze"),
        *("Transpose", "Slice", "Split", "Gather", "Identity"),
    )
)
"""What gives numbers that it was given."""
_ACTIVATIONS = frozenset(
    ("Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Swish"),
)
_AFTER_SUMS = frozenset(("Relu", "Clip", "LeakyRelu"))
_FUSED = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), _ACTIVATIONS),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _AFTER_SUMS),
}
"""What is computed together with the activation after it, so that nothing is rounded between the two."""


def rounded_activations(graph: onnx.ModelProto) -> list[str]:
    """Names of the tensors that are rounded: the input, and what each node gives anew."""
    known, swishes = constants(graph), _swishes(graph)
    names = [graph.graph.input[0].name]
    for node in graph.graph.node:
        if node.op_type == "Constant" or node.op_type in _KEEPS_NUMBERS or node.output[0] in known:
            continue
        after = readers(graph, node.output[0])
        fused = len(after) == 1 and after[0].op_type in _FUSED.get(node.op_type, ())
        if not fused and node.output[0] not in swishes:
            names.append(node.output[0])
    return names


def _swishes(graph: onnx.ModelProto) -> set[str]:
    """What x * sigmoid(x) is made of: its sigmoid, and x where that comes of a layer and goes nowhere else.

    A factor within the sigmoid is a layer of its own.
    """
    made, found = makers(graph), set()
    for node in graph.graph.node:
        if node.op_type != "Mul":
            continue
        for taken, other in (node.input, reversed(node.input)):
            gate = made.get(other)
            if gate is not None and gate.op_type == "Sigmoid" and gate.input[0] == taken:
                found.add(other)
                layer = made.get(taken)
                if layer is not None and layer.op_type in {"Conv", "Gemm"} and len(readers(graph, taken)) == 2:
                    found.add(taken)
    return found


def with_rounding(graph: onnx.ModelProto, ranges: Mapping[str, Range]) -> None:
    """Round weights and activations, in place."""
    known = constants(graph)
    for node in list(graph.graph.node):
        if node.op_type in _AXES:
            axis = _AXES[node.op_type](node)
            name = node.input[1]
            others = tuple(each for each in range(known[name].ndim) if each != axis)
            # The largest number itself is not one of 8 bits: there are 127 steps above 0 and 128 below.
            threshold = np.maximum(np.abs(known[name]).max(others) * (128 / 127), 1e-8).astype(np.float32)
            graph.graph.initializer.append(numpy_helper.from_array(threshold, f"{node.name}/threshold"))
            made = helper.make_node(
                "WeightsSymmetricQuantizer",
                [name, f"{node.name}/threshold"],
                [f"{node.name}/rounded"],
                f"{node.name}/weight",
                domain=DOMAIN,
                num_bits=_BITS,
                per_channel=1,
                channel_axis=axis,
                signed=1,
                mctq_version=_VERSION,
            )
            put_before(graph, node, made)
            node.input[1] = made.output[0]
    for name, seen in ranges.items():
        _round(graph, name, seen)
    graph.functions.extend((_weights(), _activations()))
    graph.opset_import.append(helper.make_opsetid(DOMAIN, 1))


_AXES: dict[str, Callable[[onnx.NodeProto], int]] = {
    "Conv": lambda _node: 0,
    "ConvTranspose": lambda _node: 1,
    "MatMul": lambda _node: 1,
    "Gemm": lambda node: 0 if attributes(node).get("transB") else 1,
}
"""Of a weight: which of its dimensions are the channels that it gives."""


def threshold_of(seen: Range) -> tuple[float, bool]:
    """The smallest power of two that nothing seen is above, and whether there are numbers below 0."""
    largest = max(abs(seen[0]), abs(seen[1]), 1e-8)
    return 2.0 ** math.ceil(math.log2(largest)), seen[0] < 0


def _round(graph: onnx.ModelProto, name: str, seen: Range) -> None:
    threshold, signed = threshold_of(seen)
    given = {each.name for each in graph.graph.output}
    before = f"{name}/exact" if name in given else name
    made = helper.make_node(
        "ActivationPOTQuantizer",
        [before],
        [name if name in given else f"{name}/rounded"],
        f"{name}/round",
        domain=DOMAIN,
        threshold=threshold,
        signed=int(signed),
        num_bits=_BITS,
        mctq_version=_VERSION,
    )
    maker = makers(graph).get(name)
    for node in readers(graph, name):
        for position, taken in enumerate(node.input):
            if taken == name:
                node.input[position] = made.output[0]
    place = 0
    if maker is not None:
        maker.output[list(maker.output).index(name)] = before
        place = list(graph.graph.node).index(maker) + 1
    graph.graph.node.insert(place, made)


def _activations() -> onnx.FunctionProto:
    """Clip to the threshold and round to its steps."""
    attributes = ["threshold", "signed", "num_bits", "mctq_version"]
    steps = (
        "limit = Constant<value_float: float = @threshold>()",
        "signed = Constant<value_int: int = @signed>()",
        "bits = Constant<value_int: int = @num_bits>()",
    )
    return _function("ActivationPOTQuantizer", ["x"], attributes, steps)


def _weights() -> onnx.FunctionProto:
    """The same, with a threshold for each channel."""
    steps = (
        "axis = Constant<value_int: int = @channel_axis>()",
        "signed = Constant<value_int: int = @signed>()",
        "bits = Constant<value_int: int = @num_bits>()",
        "sizes = Shape(x)",
        # The numbers of its dimensions, of what is as long as they are many: ONNX Runtime infers nothing of Range.
        "ones = Div(sizes, sizes)",
        "first = Constant<value = int64 {0}>()",
        "counted = CumSum(ones, first)",
        "dimensions = Sub(counted, ones)",
        "chosen = Equal(dimensions, axis)",
        "all = Constant<value = int64 {-1}>()",
        "shape = Where(chosen, all, ones)",
        "limit = Reshape(threshold, shape)",
    )
    attributes = ["num_bits", "per_channel", "channel_axis", "signed", "mctq_version"]
    return _function("WeightsSymmetricQuantizer", ["x", "threshold"], attributes, steps)


_ROUNDING = (
    "half = Cast<to = 1>(signed)",
    "whole = Cast<to = 1>(bits)",
    "exponent = Sub(whole, half)",
    "two = Constant<value = float {2.0}>()",
    "levels = Pow(two, exponent)",
    "scale = Div(limit, levels)",
    "size = Mul(limit, half)",
    "lowest = Neg(size)",
    "highest = Sub(limit, scale)",
    "above = Max(x, lowest)",
    "within = Min(above, highest)",
    "steps = Div(within, scale)",
    "number = Round(steps)",
    "y = Mul(number, scale)",
)
"""From a limit, whether there are numbers below 0, and bits."""


def _function(name: str, inputs: list[str], attributes: list[str], steps: tuple[str, ...]) -> onnx.FunctionProto:
    lines = "\n".join((*steps, *_ROUNDING))
    text = (
        f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}]>\n'
        f"{name} <{', '.join(attributes)}> ({', '.join(inputs)}) => (y)\n{{\n{lines}\n}}"
    )
    return onnx.parser.parse_function(text)


OPSET = 15
"""ONNX operator set of these files, as of those that Sony's own tools write."""
