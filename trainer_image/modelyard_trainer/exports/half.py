"""ONNX graphs that compute in fp16."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import onnx

from modelyard_trainer.exports.graphs import attributes, node_names


def in_half(graph: onnx.ModelProto, stays_float: Callable[[str], bool]) -> onnx.ModelProto:
    """The same network in fp16, with inputs and outputs in fp32 as they were.

    Weights are rounded to the nearest number that fp16 has. Nodes that `stays_float` names keep computing in fp32.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 - seconds
    from onnxruntime.transformers.onnx_model import OnnxModel  # noqa: PLC0415

    own = {node.name for node in graph.graph.node if node.op_type == "Cast"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of each weight that is nearer to 0 than fp16 can be
        half: onnx.ModelProto = convert_float_to_float16(
            graph, keep_io_types=True, node_block_list=[name for name in node_names(graph) if stays_float(name)]
        )
    _straighten(half, own)
    OnnxModel(half).topological_sort()  # casts were appended, and ONNX wants nodes in the order of their computation
    return half


def _straighten(graph: onnx.ModelProto, own: AbstractSet[str]) -> None:
    """Keep in fp32 what goes from one node that stays in fp32 to another.

    The converter rounds the output of each such node to fp16 and casts the input of each back, for every reader anew
    and under one name. Casts that were in the network before, by their names in `own`, stay: what they take is no fp32.
    """
    nodes = graph.graph.node
    added = [node for node in nodes if node.name not in own]
    rounded = {node.output[0]: node.input[0] for node in added if _casts_to(node, onnx.TensorProto.FLOAT16)}
    whole = {
        node.output[0]: rounded[node.input[0]]
        for node in added
        if _casts_to(node, onnx.TensorProto.FLOAT) and node.input[0] in rounded
    }
    outputs = {output.name for output in graph.graph.output}
    there: set[str] = set()
    for node in list(nodes):
        if node.output[0] in there or (node.output[0] in whole and node.output[0] not in outputs):
            nodes.remove(node)
            continue
        there.update(node.output)
        target = whole.get(node.output[0])
        for position, name in enumerate(node.input):
            node.input[position] = target if target is not None else whole.get(name, name)
        if target is not None:
            node.op_type = "Identity"
            del node.attribute[:]
    read = {name for node in nodes for name in node.input} | outputs
    for node in list(nodes):
        if node.op_type == "Cast" and node.output[0] not in read:
            nodes.remove(node)


def _casts_to(node: onnx.NodeProto, kind: int) -> bool:
    return node.op_type == "Cast" and attributes(node)["to"] == kind
