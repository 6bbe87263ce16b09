"""What a trained model is written to, and how much a file may differ from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from modelyard_api.base import ApiModel, Rule


class ExportFormat(StrEnum):
    """A file format for the trained model."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    TENSORRT = "tensorrt"
    IMX500 = "imx500"


class Precision(StrEnum):
    """The numbers that a file computes with, or holds."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class CalibrationMethod(StrEnum):
    """How the range of an activation is found from what it is for the calibration pictures."""

    MIN_MAX = "minmax"
    ENTROPY = "entropy"
    PERCENTILE = "percentile"


class ArtifactNaming(StrEnum):
    """What exported files are called."""

    PLAIN = "plain"
    TIMESTAMPED = "timestamped"


DEFAULT_OPSET = 17
"""The ONNX operator set of an export that names none."""
IMX500_OPSET = 15
"""The ONNX operator set of Sony's own tools for the IMX500."""
QUANTISED_OPSET = 13
"""The first ONNX operator set that has scales for each channel."""
TOLERANCES = {Precision.FP32: 1e-3, Precision.FP16: 5e-2}
"""Without a tolerance. For int8 there is none: its outputs are other numbers, and their worth is what counts."""
INT8_METRIC_DROP = 0.05
"""Without `maxMetricDrop`, for int8."""
PRECISIONS = {
    ExportFormat.ONNX: (Precision.FP32, Precision.FP16, Precision.INT8),
    ExportFormat.TORCHSCRIPT: (Precision.FP32,),
    ExportFormat.SAFETENSORS: (Precision.FP32, Precision.FP16),
    ExportFormat.GGUF: (Precision.FP32, Precision.FP16),
    ExportFormat.TENSORRT: (Precision.FP32, Precision.FP16, Precision.INT8),
    ExportFormat.IMX500: (Precision.INT8,),
}
"""What each format can hold."""
_PRECISION, _QAT = "self.?precision.orValue('fp32')", "self.?qat.orValue(false)"
"""In rules, the models' defaults: the API server fills in none within a list (`without_defaults_in_lists`)."""
_MAY_BE_SKIPPED = (ExportFormat.TENSORRT, ExportFormat.IMX500)
"""Formats that not every machine or network can have."""


class Calibration(ApiModel):
    """How the ranges of activations are found for int8."""

    pictures: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Pictures of the training split, spread evenly over it, that ranges are taken from.",
        ),
    ] = 300
    method: Annotated[
        CalibrationMethod,
        Field(
            description="minmax takes the whole range that was seen; entropy and percentile cut off what is rare, and "
            "need memory for every activation of every picture."
        ),
    ] = CalibrationMethod.MIN_MAX
    per_channel: Annotated[
        bool,
        Field(
            description="A scale for each channel of a weight instead of one for the whole; mostly closer to the "
            "original, for some networks not."
        ),
    ] = False


def _only_for_onnx(field: str, missing: str, sentence: str) -> Rule:
    return Rule(
        f"self.format == 'onnx' || {missing}",
        sentence,
        path=f".{field}",
        holds=lambda export: export.format is ExportFormat.ONNX or not getattr(export, field),
    )


def _precisions_of(form: ExportFormat) -> Rule:
    precisions = PRECISIONS[form]
    return Rule(
        f"self.format != '{form.value}' || {_PRECISION} in {[each.value for each in precisions]}",
        f"must be {' or '.join(precisions)} for {form.value}",
        path=".precision",
        holds=lambda export: export.format is not form or export.precision in precisions,
    )


class Export(ApiModel):
    """One file that the trained model is exported to, held against the PyTorch model before it is published."""

    rules: ClassVar = (
        _only_for_onnx("opset", "!has(self.opset)", "is for format onnx only; leave it out"),
        _only_for_onnx(
            "dynamic", "!self.?dynamic.orValue(false)", "is for format onnx only; leave it out or set it to false"
        ),
        *(_precisions_of(form) for form in PRECISIONS if PRECISIONS[form] != tuple(Precision)),
        Rule(
            f"self.format in {[each.value for each in _MAY_BE_SKIPPED]} || !self.?required.orValue(false)",
            f"is for formats {' and '.join(_MAY_BE_SKIPPED)} only; leave it out or set it to false",
            path=".required",
            holds=lambda export: export.format in _MAY_BE_SKIPPED or not export.required,
        ),
        Rule(
            "self.format != 'imx500' || (self.?calibration.?method.orValue('minmax') == 'minmax' && "
            "!self.?calibration.?perChannel.orValue(false))",
            "can say pictures alone for imx500: its ranges are powers of two around all that was seen, and its weights "
            "always have a scale for each channel",
            path=".calibration",
            holds=lambda export: (
                export.format is not ExportFormat.IMX500
                or export.calibration is None
                or (export.calibration.method is CalibrationMethod.MIN_MAX and not export.calibration.per_channel)
            ),
        ),
        Rule(
            f"{_PRECISION} != 'int8' || !has(self.opset) || self.opset >= {QUANTISED_OPSET}",
            f"must be {QUANTISED_OPSET} or more for precision int8",
            path=".opset",
            holds=lambda export: (
                export.precision is not Precision.INT8 or export.opset is None or export.opset >= QUANTISED_OPSET
            ),
        ),
        Rule(
            f"{_PRECISION} == 'int8' || !has(self.calibration)",
            "is for precision int8 only; leave it out",
            path=".calibration",
            holds=lambda export: export.precision is Precision.INT8 or export.calibration is None,
        ),
        Rule(
            f"{_PRECISION} != 'int8' || !has(self.tolerance)",
            "is not for precision int8, whose outputs are other numbers; leave it out, maxMetricDrop decides",
            path=".tolerance",
            holds=lambda export: export.precision is not Precision.INT8 or export.tolerance is None,
        ),
        Rule(
            f"!{_QAT} || (self.format == 'onnx' && {_PRECISION} == 'int8')",
            "is for format onnx with precision int8 only; leave it out or set it to false",
            path=".qat",
            holds=lambda export: (
                not export.qat or (export.format is ExportFormat.ONNX and export.precision is Precision.INT8)
            ),
        ),
        Rule(
            f"!{_QAT} || !has(self.calibration)",
            "is not for qat, whose ranges were found in training; leave it out",
            path=".calibration",
            holds=lambda export: not export.qat or export.calibration is None,
        ),
    )

    format: Annotated[
        ExportFormat,
        Field(
            description="File format: onnx; torchscript; safetensors and gguf, which hold weights and no network (no "
            "GGUF runtime computes it); tensorrt, an engine for the GPU and the version that it is built with, "
            "where the image holds TensorRT; or imx500, ONNX as the converter of Sony's camera takes it, where it has "
            "all of the network's operators; only for classification."
        ),
    ]
    precision: Annotated[
        Precision,
        Field(
            description="Numbers that the file computes with: fp32; fp16, half the size, with inputs and outputs in "
            "fp32 as before; or int8, a quarter of the size, with scales from calibration pictures. int8 is for "
            "onnx, tensorrt and imx500 only; torchscript is always fp32, imx500 always int8."
        ),
    ] = Precision.FP32
    opset: Annotated[
        int | None,
        Field(ge=11, le=20, description=f"ONNX operator set; only for onnx. Without it, {DEFAULT_OPSET}."),
    ] = None
    dynamic: Annotated[
        bool,
        Field(
            description="Leave batch size and, for detection, height and width open instead of fixing them to one "
            "picture of the training's image size; only for onnx."
        ),
    ] = False
    tolerance: Annotated[
        float | None,
        Field(
            gt=0,
            le=10,
            description="Largest difference allowed between this file's raw outputs and PyTorch's on validation"
            " pictures (boxes in pixels divided by the image size, scores and logits as they are); above it "
            f"the run fails. Without it, {TOLERANCES[Precision.FP32]:g} for fp32 and {TOLERANCES[Precision.FP16]:g} "
            "for fp16; not for int8.",
        ),
    ] = None
    max_metric_drop: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="How much less this file may reach than PyTorch, both judged by the task's metric (mAP50 for "
            "detection, classification.metric for classification) on the validation pictures; more fails the run. "
            f"Without it, {INT8_METRIC_DROP:g} for int8 and no limit for others.",
        ),
    ] = None
    calibration: Annotated[
        Calibration | None, Field(description="How the ranges of activations are found; only for int8.")
    ] = None
    qat: Annotated[
        bool,
        Field(
            description="Take weights and ranges from the quantisation-aware training (spec.training.quantization) "
            "instead of the best weights and calibration pictures; only for onnx in int8."
        ),
    ] = False

    required: Annotated[
        bool,
        Field(
            description="Fail the run where TensorRT is not in the image, there is no GPU to build for, or the IMX500 "
            "lacks an operator, instead of saying that the export was skipped; only for tensorrt and imx500."
        ),
    ] = False

    @property
    def allowed_difference(self) -> float | None:
        """The tolerance that holds; None for any difference."""
        return TOLERANCES.get(self.precision) if self.tolerance is None else self.tolerance

    @property
    def allowed_drop(self) -> float | None:
        """The drop of the metric that is allowed; None for any."""
        if self.max_metric_drop is None and self.precision is Precision.INT8:
            return INT8_METRIC_DROP
        return self.max_metric_drop

    @property
    def operators(self) -> int:
        """The ONNX operator set that is meant."""
        return IMX500_OPSET if self.format is ExportFormat.IMX500 else self.opset or DEFAULT_OPSET
