"""ONNX graphs, as what changes them looks at them and puts nodes into them."""

from __future__ import annotations

from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def constants(graph: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Tensors that do not depend on the input, by name."""
    known = {each.name: numpy_helper.to_array(each) for each in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]  # of several alike, the exporter keeps one
    return known


def makers(graph: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """The node that gives a tensor, by the tensor's name."""
    return {name: node for node in graph.graph.node for name in node.output}


def readers(graph: onnx.ModelProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return [node for node in graph.graph.node if name in node.input]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as plain values."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def node_names(graph: onnx.ModelProto) -> list[str]:
    """Names of its nodes."""
    return [node.name for node in graph.graph.node]


def shapes(graph: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Of each tensor; 0 where it is open."""
    inferred = onnx.shape_inference.infer_shapes(graph).graph
    return {
        each.name: tuple(side.dim_value for side in each.type.tensor_type.shape.dim)
        for each in (*inferred.value_info, *inferred.input, *inferred.output)
    }


def put_before(graph: onnx.ModelProto, node: onnx.NodeProto, *others: onnx.NodeProto) -> None:
    """Put nodes before one of the graph's, in their order, in place."""
    place = list(graph.graph.node).index(node)
    for number, other in enumerate(others, place):
        graph.graph.node.insert(number, other)


def forget_unused(graph: onnx.ModelProto) -> None:
    """Leave out constants that nobody reads, in place."""
    read = {name for node in graph.graph.node for name in node.input} | {each.name for each in graph.graph.output}
    for each in [each for each in graph.graph.initializer if each.name not in read]:
        graph.graph.initializer.remove(each)
    for node in [each for each in graph.graph.node if each.op_type == "Constant" and each.output[0] not in read]:
        graph.graph.node.remove(node)
