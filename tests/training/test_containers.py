"""Files that hold weights and no network give back what they were given; engines are built where they can be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from modelyard_api.export import ExportFormat, Precision
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports import tensorrt
from modelyard_trainer.exports.containers import READERS, WRITERS, like, rounded, write_gguf
from modelyard_trainer.exports.subject import Subject
from modelyard_trainer.exports.writing import export_all
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext

from tests.unit.trainer.datasets import run_document

WEIGHTS = {
    "stem.conv.weight": torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(0)),
    "stem.bn.num_batches_tracked": torch.tensor(2**40 + 1),
    "head.bias": torch.tensor([1.0, -65504.0, 1e-7]),
}


@pytest.mark.parametrize("form", list(WRITERS))
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_containers_give_back_every_tensor(form: ExportFormat, precision: Precision, tmp_path: Path) -> None:
    path = tmp_path / "best"
    held = rounded(WEIGHTS, precision)
    WRITERS[form](held, {"task": "classification"}, path)
    found = like(READERS[form](path), WEIGHTS)
    assert found.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert torch.equal(found[name], held[name].to(tensor.dtype)), name
    if precision is Precision.FP32:
        assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


def test_a_gguf_file_says_whose_it_is(tmp_path: Path) -> None:
    write_gguf(WEIGHTS, {"task": "classification", "labels": '{"0": "zwölf"}'}, tmp_path / "best.gguf")
    fields = GGUFReader(tmp_path / "best.gguf").fields
    said = {key: fields[key].contents() for key in fields if not key.startswith("GGUF.")}
    assert said == {
        "general.architecture": "modelyard",
        "modelyard.task": "classification",
        "modelyard.labels": '{"0": "zwölf"}',
    }


def test_names_that_gguf_has_no_room_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not fit into GGUF, .* safetensors would be right"):
        write_gguf({"a" * 64: torch.zeros(1)}, {}, tmp_path / "best.gguf")


@pytest.mark.skipif(tensorrt.missing() is None, reason="here engines can be built")
def test_an_engine_that_cannot_be_built_is_skipped_or_fails_the_run_as_asked(tmp_path: Path) -> None:
    class Untouched(Subject):
        output, metric, judged = "logits", "accuracy", 0
        network = image = metadata = judge = None  # type: ignore[assignment]

    def export(**asked: object) -> str:
        document = run_document(export=[{"format": "tensorrt", "precision": "fp16", **asked}])
        context = TaskContext(document, tmp_path, tmp_path, Progress(1, 1, 1), cpus=1)
        (file,) = export_all(context, Untouched({}, (32, 32)), ())
        return file.skipped

    assert export() == tensorrt.missing()
    with pytest.raises(RunError, match=r"best-fp16.engine is required and cannot be built: TensorRT .*") as ended:
        export(required=True)
    assert ended.value.reason is Reason.EXPORT_FAILED
