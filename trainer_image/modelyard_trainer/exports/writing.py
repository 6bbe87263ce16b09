"""Each file that a run asks for. Imports torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import onnx
import torch
from modelyard_api.export import ArtifactNaming, Calibration, Export, ExportFormat, Precision
from modelyard_api.outcome import Reason
from modelyard_api.run_document import RunDocument

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.environment import git_revision
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports.aware import trained_in_8_bits
from modelyard_trainer.exports.containers import WRITERS, rounded
from modelyard_trainer.exports.imx500 import NotForImx500
from modelyard_trainer.exports.naming import file_names, in_order, stamp
from modelyard_trainer.exports.onnx_file import finish, traced
from modelyard_trainer.exports.picking import strided
from modelyard_trainer.exports.subject import Subject
from modelyard_trainer.exports.tensorrt import build, missing
from modelyard_trainer.memory import want_of_memory
from modelyard_trainer.quantising.file import QUANTISED, QuantisedWeights
from modelyard_trainer.tasks.base import ExportedFile, TaskContext

_log = logging.getLogger("modelyard.training")
Details = dict[str, str | int | bool]


@dataclass(frozen=True)
class Writing:
    """One file that is to be written, and what with."""

    subject: Subject
    wanted: Export
    path: Path
    training: Sequence[Picture]
    context: TaskContext

    @property
    def metadata(self) -> dict[str, str]:
        """What stands in the file."""
        return {**provenance(self.context.document), **self.subject.metadata(dynamic=self.wanted.dynamic)}

    @property
    def calibration(self) -> Calibration:
        """How ranges are found where none were in training."""
        return self.wanted.calibration or Calibration()

    @cached_property
    def calibration_pictures(self) -> tuple[Picture, ...]:
        """The training pictures that they are taken from."""
        return strided(self.training, self.calibration.pictures)

    def tell(self, seen: int) -> None:
        """Say how many of these were seen."""
        self.context.progress.detail(
            f"{self.path.name}: {seen} of {len(self.calibration_pictures)} calibration pictures"
        )


def export_all(context: TaskContext, subject: Subject, training: Sequence[Picture]) -> tuple[ExportedFile, ...]:
    """Write the subject in each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said; OutOfMemory or HostOutOfMemory.
    """
    spec, files = context.document.spec, []
    asked = in_order(spec.export, spec.format_priorities)
    timestamped = spec.artifacts.naming is ArtifactNaming.TIMESTAMPED
    names = file_names(asked, stamp(context.document.name, datetime.now(UTC)) if timestamped else None)
    for wanted, name in zip(asked, names, strict=True):
        context.progress.detail(name)
        path = context.results / name
        why = missing() if wanted.format is ExportFormat.TENSORRT else None
        if why:
            files.append(_skipped(wanted, path, why))
            continue
        if wanted.precision is Precision.INT8 and not training:
            raise RunError(
                Reason.EXPORT_FAILED,
                f"{name} is calibrated with training pictures, and the data set has none; one that has some, or "
                "another precision, would be right",
            )
        try:
            details = _WRITERS[wanted.format](Writing(subject, wanted, path, training, context))
        except NotForImx500 as why_not:
            files.append(_skipped(wanted, path, str(why_not)))
            continue
        except Exception as error:
            if want := want_of_memory(error, context.document.batch_size):
                raise want from error
            # Exporters raise all kinds of errors; whichever else it is, this model has no such file.
            first = str(error).strip().partition("\n")[0]
            raise RunError(
                Reason.EXPORT_FAILED,
                f"{spec.model.architecture} could not be exported to {wanted.format.value} in {wanted.precision.value}"
                f"{f' with opset {wanted.opset}' if wanted.opset else ''}: {type(error).__name__}: {first}",
            ) from error
        _log.info("exported %s (%.1f MB)", path.name, path.stat().st_size / 1e6)
        files.append(ExportedFile(wanted, path, details))
    return tuple(files)


def _skipped(wanted: Export, path: Path, why: str) -> ExportedFile:
    if wanted.required:
        raise RunError(
            Reason.EXPORT_FAILED,
            f"{path.name} is required and cannot be built: {why}; {_WITH_WHAT.get(wanted.format, '')}required: false "
            "would be right",
        )
    _log.warning("skipped %s: %s", path.name, why)
    return ExportedFile(wanted, path, skipped=why)


_WITH_WHAT = {ExportFormat.TENSORRT: "spec.resources.image with TensorRT and a GPU, or "}


def _imx500(writing: Writing) -> Details:
    from modelyard_trainer.exports.imx500.variant import for_imx500  # noqa: PLC0415 - onnxruntime's tools take seconds

    pictures = writing.calibration_pictures
    graph, details = for_imx500(
        writing.subject, writing.wanted, pictures, scratch=writing.context.scratch, tell=writing.tell
    )
    _finish(writing, graph)
    return {"opset": writing.wanted.operators, "calibrationPictures": len(pictures), **details}


def _tensorrt(writing: Writing) -> Details:
    """By way of an ONNX file, which says in which numbers the engine computes."""
    onnx_file = writing.context.scratch / f"{writing.path.stem}.onnx"
    details = _onnx(replace(writing, path=onnx_file))
    return {**details, **build(onnx_file, writing.path)}


def _container(writing: Writing) -> Details:
    wanted = writing.wanted
    metadata = writing.metadata | {"precision": wanted.precision.value}
    WRITERS[wanted.format](rounded(writing.subject.weights, wanted.precision), metadata, writing.path)
    return {}


def _onnx(writing: Writing) -> Details:
    wanted, details = writing.wanted, Details()
    if wanted.qat:
        graph, details = _trained_in_8_bits(writing)
    elif wanted.precision is Precision.INT8:
        graph, details = _in_8_bits(writing)
    elif wanted.precision is Precision.FP16:
        graph = _in_half(writing)
    else:
        graph = _in_floats(writing)
    _finish(writing, graph)
    return {"opset": wanted.operators, "dynamic": wanted.dynamic, **details}


def _in_floats(writing: Writing) -> onnx.ModelProto:
    subject, wanted = writing.subject, writing.wanted
    return traced(subject, subject.traceable(dynamic=wanted.dynamic), wanted, writing.path)


def _in_half(writing: Writing) -> onnx.ModelProto:
    from modelyard_trainer.exports.half import in_half  # noqa: PLC0415 - onnxruntime's tools take seconds

    return in_half(_in_floats(writing), writing.subject.stays_float)


def _in_8_bits(writing: Writing) -> tuple[onnx.ModelProto, Details]:
    from modelyard_trainer.exports.quantised import quantised  # noqa: PLC0415 - onnxruntime's tools take seconds

    calibration, pictures = writing.calibration, writing.calibration_pictures
    graph = quantised(
        _in_floats(writing),
        writing.subject,
        pictures,
        calibration,
        scratch=writing.context.scratch,
        symmetric=writing.wanted.format is ExportFormat.TENSORRT,
        tell=writing.tell,
    )
    return graph, {
        "calibrationPictures": len(pictures),
        "calibration": calibration.method.value,
        "perChannel": calibration.per_channel,
    }


def _trained_in_8_bits(writing: Writing) -> tuple[onnx.ModelProto, Details]:
    weights = QuantisedWeights.load(writing.context.results / QUANTISED)
    graph = trained_in_8_bits(writing.subject, writing.wanted, weights, writing.path)
    return graph, {"qat": True, "epoch": weights.epoch, "layersInInt8": len(weights.scheme.layers)}


def _finish(writing: Writing, graph: onnx.ModelProto) -> None:
    finish(graph, writing.metadata | {"precision": writing.wanted.precision.value}, writing.path)


def _torchscript(writing: Writing) -> Details:
    """The metadata lies in the file's extra file config.txt, as JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = writing.subject.traceable(dynamic=False)
        script = torch.jit.trace(module, writing.subject.example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
    script.save(str(writing.path), _extra_files={"config.txt": json.dumps(writing.metadata)})
    return {}


def provenance(document: RunDocument) -> dict[str, str]:
    """What an exported file says of where it comes from."""
    spec = json.dumps(document.spec.to_json_object(), sort_keys=True, separators=(",", ":"))
    return {
        "producer": "Modelyard",
        "run": f"{document.namespace}/{document.name}",
        "specSha256": hashlib.sha256(spec.encode()).hexdigest(),
        "revision": git_revision() or "unknown",
    }


_WRITERS: dict[ExportFormat, Callable[[Writing], Details]] = {
    ExportFormat.ONNX: _onnx,
    ExportFormat.TORCHSCRIPT: _torchscript,
    ExportFormat.SAFETENSORS: _container,
    ExportFormat.GGUF: _container,
    ExportFormat.TENSORRT: _tensorrt,
    ExportFormat.IMX500: _imx500,
}
