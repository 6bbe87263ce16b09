"""An export that fails for want of memory is no export that this model has not: it is tried again with less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports.subject import Subject
from modelyard_trainer.exports.writing import export_all
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext

from tests.unit.trainer.datasets import run_document

ENDINGS = [
    (
        torch.OutOfMemoryError("CUDA out of memory."),
        Reason.OUT_OF_MEMORY,
        "the GPU ran out of memory with a batch",
    ),
    (MemoryError(), Reason.HOST_OUT_OF_MEMORY, "the pod ran out of memory; more of spec.resources.memory"),
    (RuntimeError("no such operator"), Reason.EXPORT_FAILED, "linear could not be exported to torchscript in fp32"),
]


@pytest.mark.parametrize(("error", "reason", "message"), ENDINGS)
def test_want_of_memory_in_an_export_is_told_as_such(
    error: Exception, reason: Reason, message: str, tmp_path: Path
) -> None:
    class Heavy(Subject):
        output, metric, judged = "logits", "accuracy", 0
        image = metadata = judge = None  # type: ignore[assignment]

        def network(self, weights: Any) -> torch.nn.Module:
            raise error

    document = run_document(export=[{"format": "torchscript"}])
    context = TaskContext(document, tmp_path, tmp_path, Progress(1, 1, 1), cpus=1)
    with pytest.raises(RunError) as ended:
        export_all(context, Heavy({}, (32, 32)), ())
    assert ended.value.reason is reason
    assert ended.value.message.startswith(message)
