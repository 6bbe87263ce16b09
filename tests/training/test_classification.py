"""The digits example, shortened: from the manifest to an ONNX file that finds digits with NumPy alone."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from modelyard_api.outcome import ExitCode, Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.tasks.classification.architecture import COIN_CLIP, architectures, build
from PIL import Image

from examples.digits.make_folders import NAMES, make
from tests.training.offline import read_json, train_offline

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits-classification.yaml"
EPOCHS, IN_8_BITS, PICTURES = 4, 1, 600


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    make(folder, images=PICTURES)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """What `modelyard train` leaves of the example with fewer pictures and epochs, with the network forbidden."""
    root = tmp_path_factory.mktemp("classification")
    settings = (
        *(f"training.epochs={EPOCHS}", "classification.testSplit=0.1"),
        *("export.0.opset=14", "training.batchSize=32"),
    )
    manifest = yaml.safe_load(EXAMPLE.read_text())
    manifest["spec"]["training"]["quantization"] = {"epochs": IN_8_BITS}
    manifest["spec"]["export"] += [
        {"format": "onnx", "precision": "int8", "qat": True, "maxMetricDrop": 0.03},
        {"format": "imx500", "precision": "int8", "maxMetricDrop": 0.05, "calibration": {"pictures": 50}},
        {"format": "safetensors"},
        {"format": "gguf", "precision": "fp16"},
        {"format": "tensorrt", "precision": "fp16"},
    ]
    (root / "run.yaml").write_text(yaml.safe_dump(manifest))
    return train_offline(root, Path("run.yaml"), digits, *settings)


def test_it_learned_and_says_so(results: Path) -> None:
    record = read_json(results / "run.json")
    assert record["metrics"]["accuracy"] >= 0.85
    assert record["metrics"]["test/accuracy"] >= 0.85
    assert next(iter(record["metrics"])) == "macroF1"
    assert set(record["metricsPerClass"]) == set(NAMES)
    assert record["dataset"]["images"] == PICTURES
    with (results / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == EPOCHS + IN_8_BITS
    assert {"seconds", "macroF1", "accuracy", "val/loss", "train/loss", "train/accuracy", "lr"} <= set(rows[0])
    best = max(rows[:EPOCHS], key=lambda row: float(row["macroF1"]))
    assert record["bestEpoch"] == int(best["epoch"])
    # The published weights are examined as the epochs were: the same numbers come of it.
    assert record["metrics"]["macroF1"] == pytest.approx(float(best["macroF1"]), abs=1e-6)


def test_everything_is_there_and_matches_its_checksum(results: Path) -> None:
    sums = parse_checksums((results / "SHA256SUMS").read_text())
    assert {name: sha256(results / name) for name in sums} == sums
    assert set(sums) == {
        *("best.onnx", "best-fp16.onnx", "best-int8.onnx", "best.pt", "best.torchscript", "last.pt"),
        *("best-int8-qat.onnx", "best-qat.pt", "best-int8.imx500.onnx"),
        *("best.safetensors", "best-fp16.gguf", "README.md", "labels.json", "metrics.csv", "split.json"),
        *("plots/confusion_matrix.png", "plots/curves.png", "report.html", "run.json", "training.log"),
    }
    assert (results / "report.html").read_text().count("data:image/") == 2


def test_the_onnx_file_finds_digits_with_numpy_alone(results: Path, digits: Path) -> None:
    session = onnxruntime.InferenceSession(results / "best.onnx")
    known = session.get_modelmeta().custom_metadata_map
    labels = json.loads(known["labels"])
    side = json.loads(known["preprocessing"])["size"][0]
    names = read_json(results / "split.json")["test"]
    pictures = [np.asarray(Image.open(digits / name).convert("RGB").resize((side, side))) for name in names]
    images = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 255
    found = [labels[str(number)] for number in session.run(None, {"images": images})[0].argmax(1)]
    right = sum(label == name.split("/")[0] for label, name in zip(found, names, strict=True)) / len(names)
    assert right == pytest.approx(read_json(results / "run.json")["metrics"]["test/accuracy"], abs=1e-6)
    assert labels == read_json(results / "labels.json") == dict(zip(map(str, range(10)), sorted(NAMES), strict=True))
    assert (known["task"], known["producer"], len(known["specSha256"])) == ("classification", "Modelyard", 64)
    assert onnx.load(results / "best.onnx").opset_import[0].version == 14


def test_each_file_is_judged_by_the_metric_beside_pytorch(results: Path) -> None:
    record = read_json(results / "run.json")
    exports = {each["name"]: each for each in record["exports"]}
    assert {each["precision"] for each in exports.values()} == {"fp32", "fp16", "int8"}
    for each in exports.values():
        judged = each["metric"]
        assert judged["name"] == "macroF1"
        assert judged["inPyTorch"] == pytest.approx(record["metrics"]["macroF1"], abs=1e-6)
        assert judged["drop"] == pytest.approx(judged["inPyTorch"] - judged["value"], abs=1e-9)
        assert judged["pictures"] == record["dataset"]["validationImages"]
        assert each["latency"]["milliseconds"] > 0
        assert each["tolerance"] is None or each["largestDifference"] <= each["tolerance"]
    assert exports["best.onnx"]["metric"]["drop"] == pytest.approx(0, abs=1e-9)
    assert exports["best-int8.onnx"]["metric"]["drop"] <= 0.03
    assert exports["best-int8.onnx"]["calibrationPictures"] == 200
    aware = exports["best-int8-qat.onnx"]
    assert aware["metric"]["drop"] <= 0.03
    assert (aware["qat"], aware["epoch"], aware["layersInInt8"]) == (True, EPOCHS + IN_8_BITS, 15)
    # The file is worth what its last epoch's validation said: it computes as the training did.
    with (results / "metrics.csv").open() as file:
        measured = float(list(csv.DictReader(file))[-1]["macroF1"])
    assert aware["metric"]["value"] == pytest.approx(measured, abs=0.01)
    page = (results / "report.html").read_text()
    assert f"{exports['best-int8.onnx']['metric']['drop']:+.4f}" in page


def test_what_the_image_cannot_make_is_skipped_with_a_sentence(results: Path) -> None:
    record = read_json(results / "run.json")
    assert record["exportsSkipped"] == [
        {"name": "best-fp16.engine", "format": "tensorrt", "why": "TensorRT is not in this image"}
    ]
    assert "best-fp16.engine was skipped: TensorRT is not in this image" in record["notices"]
    assert "best-fp16.engine was skipped" in (results / "README.md").read_text()


def test_the_lines_of_the_model_card_load_every_file(results: Path, tmp_path: Path) -> None:
    card = (results / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)\n```", card, re.DOTALL)
    named = [path.name for path in results.glob("best*")]
    assert sorted(re.search(r'"(best[^"]*)"', example)[1] for example in examples) == sorted(named)  # type: ignore[index]
    assert all(len(example.splitlines()) == 3 for example in examples)
    namespaces: dict[str, dict[str, Any]] = {}
    for name, example in zip(re.findall(r"^(best\S*):$", card, re.MULTILINE), examples, strict=True):
        script = tmp_path / "example.py"
        script.write_text(example)
        with contextlib.chdir(results), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            namespaces[name] = runpy.run_path(str(script))
    eighths = ("best-int8.onnx", "best-int8-qat.onnx", "best-int8.imx500.onnx")
    for name in ("best.onnx", "best-fp16.onnx", *eighths, "best.torchscript"):
        assert np.asarray(namespaces[name]["outputs"].tolist()).shape[1] == len(NAMES)
    original = namespaces["best.pt"]["weights"]
    exact, rounded = namespaces["best.safetensors"]["weights"], namespaces["best-fp16.gguf"]["weights"]
    assert exact.keys() == rounded.keys() == original.keys()
    for name, tensor in original.items():
        assert torch.equal(exact[name], tensor)
        assert np.array_equal(rounded[name].ravel(), (tensor.half() if tensor.is_floating_point() else tensor).ravel())
    assert namespaces["best.safetensors"]["metadata"]["task"] == "classification"


def test_smaller_precisions_compute_in_them(results: Path) -> None:
    names = ("best.onnx", "best-fp16.onnx", "best-int8.onnx", "best-int8-qat.onnx")
    whole, half, *eighths = (onnx.load(results / name) for name in names)
    sizes = [(results / name).stat().st_size for name in names]
    assert sizes[1] < 0.55 * sizes[0]
    assert max(sizes[2:]) < 0.3 * sizes[0]
    for graph in (half, *eighths):
        assert graph.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert graph.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    convolutions = sum(node.op_type == "Conv" for node in whole.graph.node)
    assert sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in half.graph.initializer) >= convolutions
    for graph in eighths:
        quantised = {node.output[0] for node in graph.graph.node if node.op_type == "DequantizeLinear"}
        computing = [node for node in graph.graph.node if node.op_type in {"Conv", "Gemm", "MatMul"}]
        assert len(computing) > 10
        assert all({*node.input[:2]} <= quantised for node in computing)


def test_the_weights_fit_timms_own_model(results: Path, digits: Path) -> None:
    import timm  # noqa: PLC0415 - seconds

    assert architectures() - {COIN_CLIP} == set(timm.list_models())
    checkpoint = torch.load(results / "best.pt", weights_only=True)
    model = timm.create_model(checkpoint["architecture"], num_classes=len(checkpoint["names"]))
    model.load_state_dict(checkpoint["state_dict"])
    script = torch.jit.load(results / "best.torchscript")  # type: ignore[no-untyped-call]
    config = timm.get_pretrained_cfg(checkpoint["architecture"])
    assert config is not None
    images = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    with torch.no_grad():
        plain = model.eval()((images - mean) / std)
        assert torch.allclose(torch.cat([script(images[:1]), script(images[1:])]), plain, atol=1e-4)


@pytest.mark.parametrize(("name", "side"), [(COIN_CLIP, 224), ("vit_base_patch32_clip_224", 192), ("resnet18", 64)])
def test_networks_take_pictures_of_the_size_that_was_asked_for(name: str, side: int) -> None:
    with torch.device("meta"):  # nothing is computed, only shapes
        model: Any = build(name, 5, side, dropout=0.1)
        assert model(torch.zeros(2, 3, side, side)).shape == (2, 5)
    if name == COIN_CLIP:
        assert model.backbone.head.in_features == 512


def test_any_side_will_do_that_leaves_a_network_something_to_look_at() -> None:
    assert build("test_resnet", 5, 28).training
    with pytest.raises(RunError, match=r"imageSize: densenet121 cannot look at pictures of 28 x 28 pixels: ") as ended:
        build("densenet121", 5, 28)
    assert ended.value.reason is Reason.SPEC_INVALID


def test_a_name_that_timm_does_not_know_ends_at_once_with_the_nearest(tmp_path: Path, digits: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-c", "from modelyard_cli.main import main; main()"),
            *("train", str(EXAMPLE), "--set", "model.architecture=resnet81"),
            *("--dataset", str(digits), "--output", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert ended.returncode == ExitCode.USER_ERROR
    assert "ArchitectureUnknown: spec.model.architecture: timm has no resnet81; nearest are resnet18" in ended.stderr
    assert " | torch" not in ended.stderr, "it is said before torch is imported"
