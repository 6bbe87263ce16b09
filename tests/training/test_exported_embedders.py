"""The networks of both embedding tasks in every precision, trained in 8 bits too, and judged by whom they find."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from examples.animals import make_identities, make_sightings
from tests.training.offline import read_json, train_offline

EXAMPLES = Path(__file__).parents[2] / "examples"
IN_FLOATS, IN_8_BITS = 6, 2
FILES = ("best.onnx", "best-fp16.onnx", "best-int8.onnx", "best-int8-qat.onnx", "best.torchscript")
EXPORTS = ", ".join(
    (
        "{format: onnx, dynamic: true}",
        "{format: onnx, precision: fp16}",
        "{format: onnx, precision: int8, maxMetricDrop: 1}",
        "{format: onnx, precision: int8, qat: true, maxMetricDrop: 1}",
        "{format: torchscript}",
    )
)
SETTINGS = (
    *(f"training.epochs={IN_FLOATS}", f"training.quantization={{epochs: {IN_8_BITS}}}"),
    *("training.schedule.warmupEpochs=1", "training.evaluateEvery=1", f"export=[{EXPORTS}]"),
)
SIZES = {"face-id": (32, 32), "reid": (32, 16)}
"""Height and width of the pictures."""
SMALL = {
    "face-id": (
        *("training.imageSize=32", "training.batchSize=16", "model.architecture=test_resnet"),
        "faceId.heldOutIdentities=null",
    ),
    "reid": ("reid.height=32", "reid.width=16"),
}


@pytest.fixture(scope="module", params=["face-id", "reid"])
def task(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def results(task: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `modelyard train` leaves of the task's example with few animals, pixels and epochs."""
    root = tmp_path_factory.mktemp(task)
    if task == "face-id":
        make_identities.make(root / "data", identities=24, pictures=10, size=32)
    else:
        make_sightings.make(root / "data", individuals=16, height=32)
    return train_offline(root, EXAMPLES / f"{task}.yaml", root / "data", *SETTINGS, *SMALL[task])


@pytest.fixture(scope="module")
def record(results: Path) -> Any:
    return read_json(results / "run.json")


def test_each_file_is_judged_by_whom_its_embeddings_find(task: str, results: Path, record: Any) -> None:
    exports = {each["name"]: each for each in record["exports"]}
    assert tuple(exports) == FILES
    metric = {"face-id": "top1", "reid": "mAP"}[task]
    for each in exports.values():
        judged = each["metric"]
        assert (judged["name"], judged["pictures"]) == (metric, exports["best.onnx"]["metric"]["pictures"])
        assert judged["inPyTorch"] == pytest.approx(record["metrics"][metric], abs=1e-6)
        assert (each["tolerance"] is None) is (each["precision"] == "int8")
        assert each["tolerance"] is None or each["largestDifference"] <= each["tolerance"]
    assert exports["best.onnx"]["metric"]["pictures"] >= 32
    assert exports["best.onnx"]["metric"]["drop"] == pytest.approx(0, abs=1e-6)
    assert abs(exports["best-fp16.onnx"]["metric"]["drop"]) < 0.05
    aware = exports["best-int8-qat.onnx"]
    assert (aware["qat"], aware["epoch"] > IN_FLOATS) == (True, True)
    with (results / "metrics.csv").open() as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    measured = float(rows[aware["epoch"]]["val_top1" if task == "face-id" else metric])
    assert aware["metric"]["value"] == pytest.approx(measured, abs=0.05)


def test_what_is_in_8_bits_computes_in_them(results: Path, record: Any) -> None:
    sizes = {name: (results / name).stat().st_size for name in FILES}
    assert sizes["best-fp16.onnx"] < 0.6 * sizes["best.onnx"]
    for name in ("best-int8.onnx", "best-int8-qat.onnx"):
        graph = onnx.load(results / name).graph
        quantised = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        computing = [node for node in graph.node if node.op_type in {"Conv", "Gemm", "MatMul"}]
        assert len(computing) > 5
        assert all({*node.input[:2]} <= quantised for node in computing), name
    trained = {each["name"]: each["layersInInt8"] for each in record["exports"] if each.get("qat")}
    assert trained["best-int8-qat.onnx"] > 5


def test_every_file_embeds_with_numpy_alone(task: str, results: Path) -> None:
    for name in FILES[:4]:
        session = onnxruntime.InferenceSession(results / name)
        (images,) = session.get_inputs()
        batch = 3 if name == "best.onnx" else 1  # it alone is dynamic
        pictures = np.random.default_rng(0).random((batch, 3, *SIZES[task]), np.float32)
        (embeddings,) = session.run(None, {images.name: pictures})
        lengths = np.linalg.norm(embeddings, axis=1)
        assert lengths.shape == (batch,)
        assert np.isfinite(lengths).all()
        if task == "face-id":
            assert np.abs(lengths - 1).max() < 1e-3
        else:
            assert lengths.min() > 0
