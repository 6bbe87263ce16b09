"""ONNX graphs whose weights lie in the file as the whole numbers that they are computed with."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from modelyard_trainer.exports.graphs import attributes, constants, forget_unused, makers, put_before

_LOWEST, _HIGHEST = -128, 127
_32_BITS = 2**31 - 1


def with_integers(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, in place: what QuantizeLinear makes of a weight stands there instead, and biases in 32 bits.

    A runtime takes a convolution for one of 8 bits only where its bias, too, is a whole number: in steps of the input's
    scale times the weight's.
    """
    numbers = _Numbers(graph)
    for node in [each for each in graph.graph.node if each.op_type == "QuantizeLinear" and each.input[0] in numbers]:
        scales, axis = numbers[node.input[1]], _axis(node)
        shape = [-1 if number == axis else 1 for number in range(numbers[node.input[0]].ndim)]
        steps = np.rint(numbers[node.input[0]] / scales.reshape(shape if scales.ndim else ()))
        numbers.put(node.output[0], steps.clip(_LOWEST, _HIGHEST).astype(np.int8))
        graph.graph.node.remove(node)
    _turn_weights(graph, numbers)
    _biases(graph, numbers)
    forget_unused(graph)
    return graph


class _Numbers:
    """Tensors of a graph that do not depend on its input, by name."""

    def __init__(self, graph: onnx.ModelProto) -> None:
        self._graph = graph.graph
        self._known = constants(graph)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._known[name]

    def put(self, name: str, value: NDArray[Any]) -> None:
        """Another one, or one in another's place."""
        for each in [old for old in self._graph.initializer if old.name == name]:
            self._graph.initializer.remove(each)
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        self._known[name] = value


def _turn_weights(graph: onnx.ModelProto, numbers: _Numbers) -> None:
    """A weight that is turned whenever it is read is turned in the file."""
    for turned in [each for each in graph.graph.node if each.op_type == "Transpose"]:
        read = makers(graph).get(turned.input[0])
        if read is None or read.op_type != "DequantizeLinear" or read.input[0] not in numbers:
            continue
        order = attributes(turned)["perm"]
        numbers.put(read.input[0], numbers[read.input[0]].transpose(order))
        axis = order.index(_axis(read))
        del read.attribute[:]
        read.attribute.append(onnx.helper.make_attribute("axis", axis))
        read.output[0] = turned.output[0]
        graph.graph.node.remove(turned)


def _biases(graph: onnx.ModelProto, numbers: _Numbers) -> None:
    made_by = makers(graph)
    for node in list(graph.graph.node):
        if node.op_type not in {"Conv", "Gemm"} or len(node.input) < 3 or node.input[2] not in numbers:
            continue
        taken, weight = made_by.get(node.input[0]), made_by.get(node.input[1])
        if taken is None or weight is None or {taken.op_type, weight.op_type} != {"DequantizeLinear"}:
            continue
        # Where a channel's weights are all but 0, so is the step, and its bias would not fit.
        bias = numbers[node.input[2]].astype(np.float64)
        scales = numbers[taken.input[1]].astype(np.float64) * numbers[weight.input[1]]
        scales = np.maximum(scales, np.abs(bias) / _32_BITS).astype(np.float32)
        name = f"{node.name}/bias"
        numbers.put(f"{name}_scale", scales)
        numbers.put(f"{name}_zero", np.zeros(scales.shape, np.int32))
        numbers.put(f"{name}_steps", np.rint(bias / scales).clip(-_32_BITS, _32_BITS).astype(np.int32))
        inputs = [f"{name}_{each}" for each in ("steps", "scale", "zero")]
        made = onnx.helper.make_node("DequantizeLinear", inputs, [f"{name}_read"], f"{name}_read", axis=0)
        put_before(graph, node, made)
        node.input[2] = made.output[0]


def _axis(node: onnx.NodeProto) -> int:
    axis: int = attributes(node).get("axis", 1)
    return axis
