"""What stays in fp32 where the rest of a graph computes in fp16."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from modelyard_trainer.exports.half import in_half
from numpy.typing import NDArray
from onnx import TensorProto, helper


def test_what_goes_from_one_exact_node_to_another_is_not_rounded_on_its_way() -> None:
    shape = (1, 2)
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "half"], ["a"], "coarse"),
            helper.make_node("Add", ["a", "offset"], ["b"], "exact/add"),
            helper.make_node("Sub", ["b", "offset"], ["c"], "exact/sub"),
            helper.make_node("Concat", ["c", "b"], ["y"], "exact/together", axis=1),
        ],
        "little",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
        [
            helper.make_tensor("half", TensorProto.FLOAT, (1,), [0.5]),
            helper.make_tensor("offset", TensorProto.FLOAT, (1,), [4096.25]),
        ],
    )
    half = _in_half(graph)
    # fp16 has whole numbers only around 4096.
    assert _run(half, {"x": np.array([[0.5, 2.0]], np.float32)}) == [[0.25, 1.0, 4096.5, 4097.25]]
    kinds = {node.name: node.op_type for node in half.graph.node}
    assert sorted(kinds.values()).count("Cast") == 2


def test_a_cast_of_the_networks_own_is_none_of_the_converters() -> None:
    """`.float()` at a network's end leaves one of floats to floats: the file did not load, nothing was published."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "half"], ["a"], "coarse"),
            helper.make_node("Cast", ["a"], ["y"], "/Cast", to=TensorProto.FLOAT),
        ],
        "ends with a cast",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor("half", TensorProto.FLOAT, (1,), [0.5])],
    )
    assert _run(_in_half(graph), {"x": np.array([[0.5, 2.0]], np.float32)}) == [[0.25, 1.0]]


def test_whole_numbers_that_the_network_casts_reach_an_exact_node_as_floats() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["size"], "size"),
            helper.make_node("Cast", ["size"], ["sides"], "/Cast", to=TensorProto.FLOAT),
            helper.make_node("Mul", ["sides", "third"], ["y"], "exact/mul"),
        ],
        "casts whole numbers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))],
        [helper.make_tensor("third", TensorProto.FLOAT, (1,), [4096.25])],
    )
    assert _run(_in_half(graph), {"x": np.zeros((1, 2), np.float32)}) == [4096.25, 8192.5]


def _in_half(graph: onnx.GraphProto) -> onnx.ModelProto:
    """Nodes below `exact/` stay in fp32."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    half = in_half(model, lambda name: name.startswith("exact/"))
    onnx.checker.check_model(half, full_check=True)
    return half


def _run(model: onnx.ModelProto, inputs: dict[str, NDArray[np.float32]]) -> Any:
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, dict(inputs))
    return found.tolist()
