"""ONNX graphs that compute in int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx
from modelyard_api.export import Calibration, CalibrationMethod
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization import CalibrationMethod as Method
from onnxruntime.quantization.shape_inference import quant_pre_process

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.exports.graphs import node_names
from modelyard_trainer.exports.subject import Images, Subject

_QUANTISED = ("Conv", "Gemm", "MatMul")
"""What takes the time. All else computes in fp32, between scales that runtimes move out of the way."""
_METHODS = {
    CalibrationMethod.MIN_MAX: Method.MinMax,
    CalibrationMethod.ENTROPY: Method.Entropy,
    CalibrationMethod.PERCENTILE: Method.Percentile,
}


def quantised(
    graph: onnx.ModelProto,
    subject: Subject,
    pictures: Sequence[Picture],
    calibration: Calibration,
    *,
    scratch: Path,
    symmetric: bool,
    tell: Callable[[int], None],
) -> onnx.ModelProto:
    """The same network with 8-bit weights and activations, as QuantizeLinear and DequantizeLinear around each node.

    Activations are unsigned and weights signed, which x86 computes fastest. Nodes that the subject says so of stay in
    fp32.

    Args:
        graph: in fp32.
        subject: how pictures become inputs.
        pictures: that ranges are taken from, as they come.
        calibration: how.
        scratch: a folder for what nobody keeps.
        symmetric: signed activations with 0 in the middle, which is all that TensorRT takes.
        tell: how many pictures were seen.
    """
    prepared, written = scratch / "prepared.onnx", scratch / "quantised.onnx"
    # Folds constants and batch normalisation, so that scales are for what is computed. Symbols of open sizes it can
    # follow for few networks only, and quantising needs none.
    quant_pre_process(graph, str(prepared), skip_symbolic_shape=True)
    names = node_names(onnx.load(str(prepared)))
    quantize_static(
        str(prepared),
        str(written),
        _Reader(subject, pictures, tell),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTISED),
        nodes_to_exclude=[name for name in names if subject.stays_float(name)],
        per_channel=calibration.per_channel,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=_METHODS[calibration.method],
        extra_options={"ActivationSymmetric": symmetric},
    )
    return onnx.load(str(written))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Inputs one by one, so that only one is in memory."""

    def __init__(self, subject: Subject, pictures: Sequence[Picture], tell: Callable[[int], None]) -> None:
        self._name, self._tell = subject.input, tell
        self._images: Iterator[Images] = (subject.image(picture)[None] for picture in pictures)
        self._seen = 0

    def get_next(self) -> dict[str, Images] | None:
        """The next input; None after the last."""
        image = next(self._images, None)
        if image is None:
            return None
        self._seen += 1
        self._tell(self._seen)
        return {self._name: image}
