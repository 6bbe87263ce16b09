"""An embedding network in every precision, judged by what its embeddings tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from modelyard_api.face_id import FaceId
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint
from modelyard_trainer.tasks.face_id.network import build
from modelyard_trainer.tasks.face_id.task import FaceIdTask

from examples.digits.make_folders import make
from tests.unit.trainer.datasets import run_document

FILES = ("best.onnx", "best-fp16.onnx", "best-int8.onnx", "best.torchscript")


def test_embeddings_are_exported_in_each_precision_and_judged_by_identities(tmp_path: Path) -> None:
    make(tmp_path / "digits", images=60)
    document = run_document(
        task="face-id",
        model={"architecture": "test_resnet"},
        training={"epochs": 1, "imageSize": 32, "schedule": {"warmupEpochs": 0}},
        dataset={"path": str(tmp_path / "digits"), "format": "image-folder"},
        export=[
            {"format": "onnx", "dynamic": True},
            {"format": "onnx", "precision": "fp16"},
            {"format": "onnx", "precision": "int8", "maxMetricDrop": 1},
            {"format": "torchscript"},
        ],
        faceId={"embeddingSize": 16},
    )
    progress = Progress(1, 1, 1)
    context = TaskContext(document, tmp_path, tmp_path / "results", progress, cpus=1)
    context.results.mkdir()
    task, block = FaceIdTask(context), document.spec.face_id
    assert isinstance(block, FaceId)
    data = task.check(fetch(document.spec.dataset, Places(scratch=tmp_path), progress, 1))
    torch.manual_seed(0)
    Checkpoint(
        architecture="test_resnet",
        classes=data.classes,
        image_size=32,
        resize=block.resize.value,
        embedding_size=16,
        head=block.head.value,
        scale=block.logit_scale,
        margin=block.logit_margin,
        epoch=1,
        metrics={"top1": 0.0},
        weights=build("test_resnet", block, len(data.classes), 32).state_dict(),
    ).save(context.results / BEST)
    verified = {each.file.path.name: each for each in task.verify(data, task.export(data))}
    assert tuple(verified) == FILES
    for name in FILES:
        assert verified[name].agrees, verified[name]
        assert verified[name].judged.metric == "top1"
        assert verified[name].judged.pictures == len(data.validation)
    assert verified["best.onnx"].judged.drop == 0
    session = onnxruntime.InferenceSession(context.results / "best-int8.onnx")
    (embeddings,) = session.run(None, {"images": np.random.default_rng(0).random((1, 3, 32, 32), np.float32)})
    assert abs(np.linalg.norm(embeddings) - 1) < 1e-3
