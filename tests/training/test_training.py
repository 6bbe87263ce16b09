"""A real detector, trained by ultralytics for two epochs on a few pictures, from the manifest to SHA256SUMS."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from modelyard_trainer.files import parse_checksums, sha256
from PIL import Image

from examples.digits.make_dataset import NAMES, make
from tests.training.offline import read_json, train_offline

EPOCHS = 2
MANIFEST = f"""
apiVersion: modelyard.dev/v1alpha1
kind: TrainingRun
metadata: {{name: small, namespace: vision}}
spec:
  task: detection
  dataset: {{s3: {{uri: s3://datasets/digits/v1/}}, validationSplit: 0.25}}
  model: {{architecture: yolov5nu}}
  training:
    epochs: {EPOCHS}
    batchSize: 8
    imageSize: 96
    optimizer: {{name: AdamW, learningRate: 2e-3}}
    schedule: {{name: cosine, warmupEpochs: 1}}
    seed: 42
  detection: {{augment: {{closeMosaic: 1}}}}
  export:
    - {{format: torchscript}}
    - {{format: onnx, opset: 14, dynamic: true}}
    - {{format: onnx, precision: fp16}}
    - {{format: onnx, precision: int8, maxMetricDrop: 1, calibration: {{perChannel: true}}}}
  formatPriorities: [onnx, torchscript]
  artifacts: {{s3: {{uri: s3://models/}}}}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `modelyard train` leaves, with the network forbidden and the data set read-only."""
    root = tmp_path_factory.mktemp("training")
    make(root / "digits", images=32, size=96, seed=1)
    before = {path: path.stat().st_mtime_ns for path in sorted((root / "digits").rglob("*"))}
    (root / "run.yaml").write_text(MANIFEST)
    out = train_offline(root, Path("run.yaml"), Path("digits"))
    assert {path: path.stat().st_mtime_ns for path in sorted((root / "digits").rglob("*"))} == before
    return out


def test_everything_is_there_and_matches_its_checksum(results: Path) -> None:
    sums = parse_checksums((results / "SHA256SUMS").read_text())
    there = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    assert there == {*sums, "SHA256SUMS"}
    assert {name: sha256(results / name) for name in sums} == sums
    assert set(sums) == {
        "README.md",
        "best-fp16.onnx",
        "best-int8.onnx",
        "best.onnx",
        "best.pt",
        "best.torchscript",
        "labels.json",
        "last.pt",
        "metrics.csv",
        "plots/confusion_matrix.png",
        "plots/curves.png",
        "plots/precision_recall.png",
        "plots/predictions.jpg",
        "report.html",
        "run.json",
        "split.json",
        "training.log",
    }


def test_the_record_says_what_was_done(results: Path) -> None:
    record = read_json(results / "run.json")
    assert record["run"]["spec"]["training"]["optimizer"] == {
        "name": "AdamW",
        "learningRate": 0.002,
        "momentum": 0.9,
        "weightDecay": 0.0005,
    }
    assert record["primaryArtifact"] == "best.onnx"
    assert [each["name"] for each in record["exports"]] == [
        *("best.onnx", "best-fp16.onnx", "best-int8.onnx", "best.torchscript")
    ]
    assert record["exports"][0]["opset"] == 14
    for each in record["exports"]:
        assert 0 <= each["largestDifference"] <= (each["tolerance"] or 1)
        assert each["metric"]["name"] == "mAP50"
        assert each["metric"]["pictures"] == 8
    assert record["exports"][2]["calibrationPictures"] == 24
    assert record["environment"]["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert record["seed"] == 42
    assert "no CUDA device is in sight, so the training ran on the CPU" in record["notices"]
    assert read_json(results / "labels.json") == {str(number): name for number, name in enumerate(NAMES)}
    split = read_json(results / "split.json")
    assert (len(split["training"]), len(split["validation"]), split["bySeed"]) == (24, 8, True)


def test_metrics_have_a_row_for_each_epoch_and_the_best_was_evaluated_as_published(results: Path) -> None:
    with (results / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"mAP50", "mAP50-95", "precision", "recall", "train/box_loss", "val/cls_loss", "lr"} <= set(rows[0])
    record = read_json(results / "run.json")
    best = rows[record["bestEpoch"] - 1]
    assert record["metrics"]["mAP50"] == pytest.approx(float(best["mAP50"]), abs=2e-3)


def test_weights_load_without_trusting_them(results: Path) -> None:
    for name in ("best.pt", "last.pt"):
        checkpoint = torch.load(results / name, weights_only=True)
        assert checkpoint["architecture"] == "yolov5nu"
        assert checkpoint["names"] == dict(enumerate(NAMES))
        assert all(tensor.isfinite().all() for tensor in checkpoint["state_dict"].values())
    assert checkpoint["epoch"] == EPOCHS


def test_the_onnx_file_takes_other_sizes_and_says_what_pytorch_says(results: Path) -> None:
    model = onnx.load(results / "best.onnx")
    assert model.opset_import[0].version == 14
    assert [d.dim_param for d in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", "", "height", "width"]
    session = onnxruntime.InferenceSession(results / "best.onnx")
    script = torch.jit.load(results / "best.torchscript")  # type: ignore[no-untyped-call]
    images = np.random.default_rng(0).random((1, 3, 96, 96), np.float32)
    assert np.allclose(session.run(None, {"images": images})[0], script(torch.from_numpy(images)).numpy(), atol=1e-2)
    wide = np.zeros((2, 3, 64, 128), np.float32)
    assert session.run(None, {"images": wide})[0].shape == (2, 4 + len(NAMES), 8 * 16 + 4 * 8 + 2 * 4)


def test_every_onnx_file_says_what_it_is_and_where_from(results: Path) -> None:
    record = read_json(results / "run.json")
    for name, precision in (("best.onnx", "fp32"), ("best-fp16.onnx", "fp16"), ("best-int8.onnx", "int8")):
        known = {prop.key: prop.value for prop in onnx.load(results / name).metadata_props}
        assert (known["task"], known["precision"], known["run"]) == ("detect", precision, "vision/small")
        assert json.loads(known["labels"]) == read_json(results / "labels.json")
        assert json.loads(known["preprocessing"])["size"] == [96, 96]
        assert json.loads(known["metric"])["name"] == "mAP50"
        assert known["revision"] == (record["environment"]["revision"] or "unknown")
        spec = json.dumps(record["run"]["spec"], sort_keys=True, separators=(",", ":"))
        assert known["specSha256"] == hashlib.sha256(spec.encode()).hexdigest()


def test_boxes_and_scores_are_decoded_in_floats_whatever_the_convolutions_compute_in(results: Path) -> None:
    images = np.random.default_rng(0).random((1, 3, 96, 96), np.float32)
    whole = onnxruntime.InferenceSession(results / "best.onnx").run(None, {"images": images})[0]
    for name, coarse, near in (("best-fp16.onnx", "Cast", 0.05), ("best-int8.onnx", "QuantizeLinear", 0.5)):
        found = onnxruntime.InferenceSession(results / name).run(None, {"images": images})[0]
        # With one scale for pixels and scores, or in steps of fp16's, all scores were 0 or boxes pixels away.
        assert (found[:, 4:] > 0).all()
        assert np.abs(np.log(found[:, 4:] / whole[:, 4:])).mean() < near
        assert np.abs(found[:, :4] - whole[:, :4]).max() < 96 * 0.1
        graph = onnx.load(results / name).graph
        last = [node for node in graph.node if node.op_type == "Concat"][-1]
        feeding = {node.op_type for node in graph.node if set(node.output) & set(last.input)}
        assert coarse not in feeding, f"what boxes and scores are put together of is in {feeding}"


def test_the_pages_pictures_are_real(results: Path) -> None:
    page = (results / "report.html").read_text()
    assert page.count("data:image/") == 4
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert Image.open(results / "plots" / "predictions.jpg").size == (1280, 640)
