"""The animals' example, shortened: from the manifest to an ONNX file that tells apart whom training never saw."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from modelyard_trainer.embeddings.network import Embedder, Neck
from modelyard_trainer.embeddings.verification import Roc, all_pairs
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.tasks.classification.architecture import COIN_CLIP, backbone
from PIL import Image

from examples.animals.make_identities import make
from tests.training.offline import read_json, train_offline

EXAMPLE = Path(__file__).parents[2] / "examples" / "face-id.yaml"
EPOCHS, ANIMALS = 6, 40
BATCH = 18
"""Which leaves a last batch of few pictures."""


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "animals"
    make(folder, identities=ANIMALS, pictures=12, size=32)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, animals: Path) -> Path:
    """What `modelyard train` leaves of the example with fewer animals and epochs, with the network forbidden."""
    root = tmp_path_factory.mktemp("face-id")
    settings = (
        *(f"training.epochs={EPOCHS}", f"training.batchSize={BATCH}", "training.imageSize=32"),
        *("faceId.heldOutIdentities.share=0.3", "training.schedule.warmupEpochs=1", "model.architecture=test_resnet"),
    )
    return train_offline(root, EXAMPLE, animals, *settings)


def test_it_learned_and_says_so(results: Path) -> None:
    record = read_json(results / "run.json")
    metrics, known = record["metrics"], len(record["dataset"]["classNames"])
    assert metrics["top1"] >= 3 / known
    assert metrics["verification/AUC"] >= 0.6
    assert list(metrics)[:2] == ["top1", "top5"]
    # Every sixth animal has few pictures, and of the others three tenths are held out.
    enough = ANIMALS - ANIMALS // 6
    assert known == enough - round(0.3 * enough)
    assert set(record["metricsPerClass"]) <= set(record["dataset"]["classNames"])
    assert "6 of 40 identities have fewer than 10 pictures and were left out, 24 pictures in all" in record["notices"]
    pictures = record["dataset"]["trainingImages"]
    rest = pictures % BATCH
    assert 0 < rest < BATCH / 2
    assert any(said.startswith(f"each epoch leaves out {rest} of {pictures} pictures") for said in record["notices"])


def test_metrics_csv_has_exactly_the_columns_that_people_have_tools_for(results: Path) -> None:
    lines = (results / "metrics.csv").read_text().splitlines()
    assert lines[0] == "epoch,lr,train_loss,train_top1,train_top5,val_loss,val_top1,val_top5"
    rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == [str(number + 1) for number in range(EPOCHS)]
    best = max(rows, key=lambda row: float(row["val_top1"]))
    record = read_json(results / "run.json")
    assert record["bestEpoch"] == int(best["epoch"])
    # The published weights are examined as the epochs were: the same numbers come of it.
    assert record["metrics"]["top1"] == pytest.approx(float(best["val_top1"]), abs=1e-6)
    assert record["metrics"]["loss"] == pytest.approx(float(best["val_loss"]), rel=1e-4)


def test_everything_is_there_and_matches_its_checksum(results: Path) -> None:
    sums = parse_checksums((results / "SHA256SUMS").read_text())
    assert {name: sha256(results / name) for name in sums} == sums
    assert {
        *("best.onnx", "best.pt", "best.torchscript", "last.pt", "labels.json", "metrics.csv", "split.json"),
        *("plots/confusion_matrix.png", "plots/curves.png", "plots/roc.png", "plots/similarities.png"),
        *("report.html", "run.json", "training.log", "verification.json"),
    } <= set(sums)
    assert (results / "report.html").read_text().count("data:image/") == 4


def test_the_onnx_file_verifies_unknown_animals_as_the_report_says(results: Path, animals: Path) -> None:
    session = onnxruntime.InferenceSession(results / "best.onnx")
    known = session.get_modelmeta().custom_metadata_map
    side = json.loads(known["preprocessing"])["size"][0]
    names = read_json(results / "split.json")["heldOut"]
    pictures = [
        np.asarray(Image.open(animals / name).resize((side, side), Image.Resampling.BILINEAR)) for name in names
    ]
    images = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 255
    (embeddings,) = session.run(["embeddings"], {"images": images})
    assert embeddings.shape == (len(names), json.loads(known["embedding"])["size"])
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-5)
    whom = np.unique([name.split("/")[0] for name in names], return_inverse=True)[1]
    roc = Roc.of(*all_pairs(embeddings, whom))
    verification = read_json(results / "verification.json")
    assert roc.auc == pytest.approx(verification["auc"], abs=1e-4)
    assert (roc.genuine, roc.impostor) == (verification["genuinePairs"], verification["impostorPairs"])
    assert not set(names) & {
        name for side in ("training", "validation") for name in read_json(results / "split.json")[side]
    }
    assert (known["task"], known["producer"], len(known["specSha256"])) == ("face-id", "Modelyard", 64)


def test_the_weights_fit_timms_own_model(results: Path) -> None:
    import timm  # noqa: PLC0415 - seconds

    checkpoint = torch.load(results / "best.pt", weights_only=True)
    prefix = "embedder.backbone."
    weights = {
        name.removeprefix(prefix): value for name, value in checkpoint["state_dict"].items() if name.startswith(prefix)
    }
    timm.create_model(checkpoint["architecture"], num_classes=0).load_state_dict(weights, strict=True)
    assert checkpoint["state_dict"]["head.weight"].shape == (len(checkpoint["names"]), checkpoint["embedding_size"])


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "vit_tiny_patch16_224", COIN_CLIP])
def test_any_backbone_gives_embeddings_of_the_asked_width(name: str) -> None:
    with torch.device("meta"):  # nothing is computed, only shapes
        built = backbone(name, 0, 64)
        model = Embedder(built.network, Neck(built.width, 32), built.mean, built.std).eval()
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 32)
