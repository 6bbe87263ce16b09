"""Small data sets, and documents of runs that train on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from modelyard_api.run_document import RunDocument
from PIL import Image

from examples.folders import write_checksums

CLASSES = ("cat", "dog")


def make_dataset(folder: Path, pictures: int = 10, size: int = 64, seed: int = 0) -> Path:
    """A YOLO data set with one or two bright boxes in each picture, unsplit, with its SHA256SUMS."""
    draw = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(pictures):
        pixels = draw.integers(0, 90, (size, size, 3), np.uint8)
        label = number % len(CLASSES)
        left, top, side = (int(value) for value in draw.integers(4, size // 2 - 4, 3))
        side = max(12, side)
        pixels[top : top + side, left : left + side, label] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{number:03d}.jpg", quality=95)
        box = [(left + side / 2) / size, (top + side / 2) / size, side / size, side / size]
        (folder / "labels" / f"{number:03d}.txt").write_text(f"{label} {' '.join(f'{v:.6f}' for v in box)}\n")
    (folder / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    write_checksums(folder)
    return folder


def run_document(**changes: object) -> RunDocument:
    """A run of the torch-free test task: three epochs, nothing exported. `changes` replace blocks of the spec."""
    spec = {
        "task": "detection",
        "dataset": {"path": "/nowhere"},
        "model": {"architecture": "linear"},
        "training": {"epochs": 3, "batchSize": 4, "schedule": {"warmupEpochs": 0}, "seed": 1},
        "export": [],
        "artifacts": {"path": "/nowhere"},
        **changes,
    }
    document = {"namespace": "vision", "name": "run", "uid": "uid-1", "attempt": 1, "batchSize": 4, "spec": spec}
    return RunDocument.model_validate_json(json.dumps(document))
