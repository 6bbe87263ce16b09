"""The re-identification example, shortened: from the manifest to an ONNX file that finds animals with NumPy alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from modelyard_trainer.files import parse_checksums, sha256
from modelyard_trainer.tasks.reid.architecture import architectures, build
from PIL import Image

from examples.animals.make_sightings import CAMERAS, GALLERY, QUERY, make
from tests.training.offline import read_json, train_offline
from tests.unit.trainer.torchreids import torchreids

pytestmark = pytest.mark.long("the re-identification example")
"""On the cluster it is trained each day."""
EXAMPLE = Path(__file__).parents[2] / "examples" / "reid.yaml"
EPOCHS, ANIMALS = 12, 40
CHANCE = 1 / (ANIMALS / 2)
"""That the first picture found is of the animal: there are as many of each."""


@pytest.fixture(scope="module")
def sightings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "sightings"
    make(folder, individuals=ANIMALS)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, sightings: Path) -> Path:
    """What `modelyard train` leaves of the example with fewer animals and epochs, with the network forbidden."""
    root = tmp_path_factory.mktemp("reid")
    settings = (f"training.epochs={EPOCHS}", "training.evaluateEvery=8", "reid.rerank={}", "export.0.opset=14")
    return train_offline(root, EXAMPLE, sightings, *settings)


def test_it_learned_and_says_so(results: Path) -> None:
    record = read_json(results / "run.json")
    assert record["metrics"]["rank1"] >= 3 * CHANCE
    assert list(record["metrics"]) == [
        *("mAP", "rank1", "rank5", "rank10", "rank20"),
        *("rerank/mAP", "rerank/rank1", "rerank/rank5", "rerank/rank10", "rerank/rank20"),
    ]
    with (results / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"seconds", "mAP", "rank1", "train/loss", "train/triplet", "train/softmax", "lr"} <= set(rows[0])
    assert [row["epoch"] for row in rows if row["mAP"]] == ["8", "12"]
    best = max((row for row in rows if row["mAP"]), key=lambda row: float(row["mAP"]))
    assert record["bestEpoch"] == int(best["epoch"])
    # The published weights are measured as the epochs were: the same numbers come of it.
    assert record["metrics"]["mAP"] == pytest.approx(float(best["mAP"]), abs=1e-6)


def test_everything_is_there_and_matches_its_checksum(results: Path) -> None:
    sums = parse_checksums((results / "SHA256SUMS").read_text())
    assert {name: sha256(results / name) for name in sums} == sums
    assert set(sums) == {
        *(
            "best.onnx",
            "best.pt",
            "best.torchscript",
            "last.pt",
            "README.md",
            "labels.json",
            "metrics.csv",
            "split.json",
        ),
        *("plots/curves.png", "plots/ranked.jpg", "report.html", "run.json", "training.log"),
    }
    assert (results / "report.html").read_text().count("data:image/") == 2


def test_the_onnx_file_finds_animals_with_numpy_alone(results: Path, sightings: Path) -> None:
    session = onnxruntime.InferenceSession(results / "best.onnx")
    known = session.get_modelmeta().custom_metadata_map
    height, width = json.loads(known["preprocessing"])["size"]
    assert (known["task"], json.loads(known["embedding"])["distance"]) == ("reid", "euclidean")

    def embedded(folder: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        paths = sorted(path for path in (sightings / folder).glob("*.jpg") if not path.name.startswith("-1"))
        pictures = [np.asarray(Image.open(path).resize((width, height)), np.float32) / 255 for path in paths]
        (embeddings,) = session.run(["embeddings"], {"images": np.stack(pictures).transpose(0, 3, 1, 2)})
        said = [path.name.replace("_c", "s").split("s")[:2] for path in paths]
        return embeddings, np.array(said).astype(int)

    (queries, wanted), (gallery, there) = embedded(QUERY), embedded(GALLERY)
    distances = np.linalg.norm(queries[:, None] - gallery, axis=2)
    distances[(wanted[:, None] == there).all(axis=2)] = np.inf
    assert set(there[:, 1]) == set(range(1, CAMERAS + 1))
    right = there[distances.argmin(axis=1), 0] == wanted[:, 0]
    assert right.mean() == pytest.approx(read_json(results / "run.json")["metrics"]["rank1"], abs=1e-6)


def test_the_weights_fit_torchreids_own_model(results: Path) -> None:
    checkpoint = torch.load(results / "best.pt", weights_only=True)
    theirs = torchreids("models.osnet").osnet_x0_25(num_classes=len(checkpoint["names"]), pretrained=False)
    theirs.load_state_dict(checkpoint["state_dict"])
    script = torch.jit.load(results / "best.torchscript")  # type: ignore[no-untyped-call]
    images = torch.rand(1, 3, 64, 32)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        assert torch.allclose(script(images), theirs.eval()((images - mean) / std), atol=1e-4)


@pytest.mark.parametrize("name", sorted(architectures()))
@pytest.mark.parametrize("unit", [False, True])
def test_every_osnet_gives_embeddings(name: str, unit: bool) -> None:
    with torch.device("meta"):  # nothing is computed, only shapes
        model = build(name, 5, normalize=True, unit=unit)
        logits, features = model.train()(torch.zeros(2, 3, 256, 128))
        assert (logits.shape, features.shape) == ((2, 5), (2, 512))
        assert model.eval()(torch.zeros(2, 3, 64, 32)).shape == (2, 512)
