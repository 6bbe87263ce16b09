"""Penny AI's four tasks on a few coins: what each is taught of them, and the smallest, trained for real."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from modelyard_api.classification import Classification
from modelyard_api.loading import load_run
from modelyard_trainer.dataset.classification import check_classification
from modelyard_trainer.dataset.fetch import fetch
from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from numpy.typing import NDArray
from PIL import Image

from examples.pennies.make_pennies import FIRST_YEAR, LAST_YEAR, REVERSES, make
from tests.training.offline import read_json, train_offline

EXAMPLES = Path(__file__).parents[2] / "examples"
UPRIGHT, TURNED, REVERSE, YEARS = 240, 60, 12, 5
MINTS = ("D", "S", "P", "nomint")


@pytest.fixture(scope="module")
def pennies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "pennies"
    make(folder, UPRIGHT, TURNED, REVERSE, YEARS)
    return folder


def checked(task: str, pennies: Path, scratch: Path) -> CheckedDataset:
    """The coins as a run of the example sees them."""
    spec = load_run((EXAMPLES / f"penny-{task}-small.yaml").read_text()).spec
    here = spec.dataset.model_copy(update={"s3": None, "path": str(pennies)})
    fetched = fetch(here, Places(scratch), Progress(1, 1, 1), cpus=2)
    return check_classification(fetched, here, spec.classification or Classification(), seed=42, threads=2)


def labels(data: CheckedDataset) -> dict[Picture, str]:
    return {each: data.classes[int(each.objects.classes[0])] for each in data.pictures}


def test_each_task_is_taught_what_the_table_says_of_its_coins(pennies: Path, tmp_path: Path) -> None:
    rows = {row["uid"]: row for row in read_json(pennies / "metadata" / "metadata.json")}
    sides = Counter(labels(checked("side", pennies, tmp_path)).values())
    assert sides == {"obverse": UPRIGHT + TURNED, **dict.fromkeys(REVERSES, REVERSE)}
    wanted: dict[str, tuple[int, Callable[[dict[str, Any]], str]]] = {
        "orientation": (TURNED, lambda row: str(int(row["angle"] // 3 * 3))),
        "date": (UPRIGHT, lambda row: str(row["year"])),
        "mint": (UPRIGHT, lambda row: row.get("mint", "nomint")),
    }
    for task, (count, label_of) in wanted.items():
        found = labels(checked(task, pennies, tmp_path))
        assert len(found) == count
        assert all(label == label_of(rows[Path(each.name).stem]) for each, label in found.items())


def test_classes_and_regions_are_pennys(pennies: Path, tmp_path: Path) -> None:
    data = {task: checked(task, pennies, tmp_path) for task in ("side", "orientation", "date", "mint")}
    assert {task: len(each.classes) for task, each in data.items()} == {
        **{"side": 5, "orientation": 120},
        **{"date": LAST_YEAR - FIRST_YEAR + 1, "mint": len(MINTS)},
    }
    boxes = {
        task: np.stack([each.objects.boxes[0] for each in data[task].pictures]) for task in ("side", "date", "mint")
    }
    assert (boxes["side"] == [0.5, 0.5, 1, 1]).all()
    assert ((boxes["date"][:, 2] > 1.5 * boxes["date"][:, 3]) & (boxes["date"][:, 2] < 0.4)).all()
    assert (boxes["mint"][:, 1] > boxes["date"][:, 1]).all(), "the mint mark is struck below the date"


def test_the_smallest_learns_to_read_mint_marks_that_its_onnx_file_reads_too(pennies: Path, tmp_path: Path) -> None:
    example = EXAMPLES / "penny-mint-small.yaml"
    settings = (
        *("model.architecture=test_resnet", "training.epochs=12", "training.batchSize=16"),
        "export=[{format: onnx, dynamic: true}]",
    )
    results = train_offline(tmp_path, example, pennies, *settings)
    record = read_json(results / "run.json")
    assert record["metrics"]["macroF1"] >= 3 / len(MINTS)
    assert record["metrics"]["test/macroF1"] >= 3 / len(MINTS)
    (file,) = results.glob("*_fp32.onnx")
    session = onnxruntime.InferenceSession(file)
    metadata = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata["labels"]).values()) == MINTS
    side = json.loads(metadata["preprocessing"])["size"][0]
    regions = read_json(pennies / "metadata" / "roi_coordinates.json")
    rows = {row["uid"]: row for row in read_json(pennies / "metadata" / "metadata.json")}
    names = [Path(name).stem for name in read_json(results / "split.json")["test"]]

    def seen(uid: str) -> NDArray[np.float32]:
        left, top, right, bottom = regions[uid]["mint"]
        x, y = 0.05 * (right - left), 0.05 * (bottom - top)
        with Image.open(pennies / "data" / f"{uid}.jpg") as picture:
            crop = picture.crop((round(left - x), round(top - y), round(right + x), round(bottom + y)))
            return np.asarray(crop.resize((side, side), Image.Resampling.BILINEAR), np.float32) / np.float32(255)

    (scores,) = session.run(None, {"images": np.stack([seen(uid) for uid in names]).transpose(0, 3, 1, 2)})
    right = [MINTS[best] == rows[uid].get("mint", "nomint") for best, uid in zip(scores.argmax(1), names, strict=True)]
    assert sum(right) / len(right) >= 0.75
