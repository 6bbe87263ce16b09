"""What stays in fp32 where the rest of a graph computes in fp16."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from modelyard_trainer.exports.half import in_half
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
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    half = in_half(model, lambda name: name.startswith("exact/"))
    onnx.checker.check_model(half, full_check=True)
    session = onnxruntime.InferenceSession(half.SerializeToString())
    (found,) = session.run(None, {"x": np.array([[0.5, 2.0]], np.float32)})
    # fp16 has whole numbers only around 4096.
    assert found.tolist() == [[0.25, 1.0, 4096.5, 4097.25]]
    kinds = {node.name: node.op_type for node in half.graph.node}
    assert sorted(kinds.values()).count("Cast") == 2
