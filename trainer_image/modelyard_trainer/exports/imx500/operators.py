"""Which operators the description of the platform names, and which a graph has that it does not."""

from __future__ import annotations

import onnx

from modelyard_trainer.exports.graphs import constants

DESCRIPTION = "the IMX500's description (edge-mdt-tpc 1.3.0, TPC 6.0)"
NAMED = {
    "Conv": "CONV, DEPTHWISE_CONV",
    "ConvTranspose": "CONV_TRANSPOSE",
    "Gemm": "FULLY_CONNECTED",
    "MatMul": "FULLY_CONNECTED",
    "BatchNormalization": "BATCH_NORM",
    "Relu": "RELU",
    "Clip": "RELU6, HARD_TANH",
    "LeakyRelu": "LEAKY_RELU",
    "PRelu": "PRELU",
    "HardSwish": "HARDSWISH",
    "HardSigmoid": "HARDSIGMOID",
    "Sigmoid": "SIGMOID, SWISH",
    "Tanh": "TANH",
    "Exp": "EXP",
    "Sin": "SIN",
    "Cos": "COS",
    "Add": "ADD",
    "Sub": "SUB",
    "Mul": "MUL",
    "Div": "DIV",
    "Min": "MIN",
    "Max": "MAX",
    "Concat": "CONCATENATE",
    "MaxPool": "MAXPOOL",
    "Pad": "PAD",
    "Flatten": "FLATTEN",
    "Reshape": "RESHAPE",
    "Squeeze": "SQUEEZE",
    "Unsqueeze": "UNSQUEEZE",
    "Transpose": "TRANSPOSE, PERMUTE",
    "Slice": "STRIDED_SLICE",
    "Split": "SPLIT_CHUNK",
    "Gather": "GATHER",
    "Identity": "",
    # Not among its operator sets; the package's own tests convert torchvision's MobileNetV2, which ends with it.
    "GlobalAveragePool": "MobileNetV2",
}
"""ONNX operators, and the operator sets of the description that they belong to."""
_WEIGHED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BINARY = ("Add", "Sub", "Mul", "Div", "Min", "Max")


def not_named(graph: onnx.ModelProto) -> list[str]:
    """Each node that the description has no place for, as a short phrase with its operator and its name."""
    known = constants(graph)
    found = []
    for node in graph.graph.node:
        if node.op_type == "Constant":
            continue
        if node.domain not in {"", "ai.onnx"} or node.op_type not in NAMED:
            found.append(f"{node.op_type} ({node.name})")
        elif node.op_type in _WEIGHED and node.input[1] not in known:
            found.append(f"{node.op_type} of two activations ({node.name})")
        elif node.op_type in _BINARY and any(name in known for name in node.input):
            # The description rounds such constants as weights; whose steps they would have nobody here could try.
            found.append(f"{node.op_type} with a constant ({node.name})")
    return found
