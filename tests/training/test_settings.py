"""A real training with every setting other than it usually is: whatever ultralytics changed by itself would end it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from modelyard_api.loading import load_run
from modelyard_cli.train import document_of
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress
from modelyard_trainer.run import run

from examples.digits.make_dataset import make

MANIFEST = """
apiVersion: modelyard.dev/v1alpha1
kind: TrainingRun
metadata: {name: settings}
spec:
  task: detection
  dataset: {path: /data, validationSplit: 0.25, fraction: 0.9}
  model: {architecture: yolo26n}
  training:
    epochs: 2
    batchSize: 4
    gradientAccumulation: 2
    imageSize: 64
    optimizer: {name: SGD, learningRate: 1e-2, momentum: 0.85, weightDecay: 1e-3}
    schedule: {name: linear, warmupEpochs: 0.5, warmupMomentum: 0.7, warmupBiasLearningRate: 0.05, finalFraction: 0.5}
    patience: 5
    seed: 7
    workers: 3
    cache: disk
    savePeriod: 1
    freeze: 2
    deterministic: false
  detection:
    loss: {box: 5, cls: 1, dfl: 1, clsPw: 0.5}
    augment:
      {hsvH: 0.1, hsvS: 0.1, hsvV: 0.1, degrees: 10, translate: 0.2, scale: 0.2, shear: 2, perspective: 0.0005,
       flipud: 0.1, fliplr: 0.1, bgr: 0.1, mosaic: 0.5, closeMosaic: 1, mixup: 0.2, cutmix: 0.2, multiScale: 0.25}
    validation: {conf: 0.01, iou: 0.6, maxDet: 20, agnosticNms: true}
    singleClass: true
  export: [{format: onnx}]
  artifacts: {path: /out}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("settings")
    make(root / "digits", images=24, size=96, seed=2)
    document = document_of(load_run(MANIFEST), root / "out", root / "digits")
    # As after an attempt that ran out of memory: half the batch, twice the passes for a step.
    document = document.model_copy(update={"attempt": 2, "batch_size": 2})
    progress = Progress(document.attempt, document.batch_size, document.spec.training.epochs)
    run(document, Places(root / "scratch", in_cluster=False), progress)
    return root / "out"


def test_the_rate_falls_as_asked(results: Path) -> None:
    with (results / "metrics.csv").open() as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    # Linear from 1 to 0.5 over two epochs: the second is trained at 0.75 of the initial rate.
    assert rates == pytest.approx([0.01, 0.0075], rel=1e-4)


def test_a_single_class_is_what_the_files_say(results: Path) -> None:
    assert json.loads((results / "labels.json").read_text()) == {"0": "item"}
    best = torch.load(results / "best.pt", weights_only=True)
    assert best["names"] == {0: "item"}


def test_numbered_checkpoints_are_kept(results: Path) -> None:
    for epoch in (1, 2):
        assert torch.load(results / f"epoch{epoch}.pt", weights_only=True)["epoch"] == epoch


def test_frozen_layers_stayed_as_they_began(results: Path) -> None:
    first, second = (torch.load(results / f"epoch{n}.pt", weights_only=True)["state_dict"] for n in (1, 2))
    same = {name for name in first if name.endswith("conv.weight") and torch.equal(first[name], second[name])}
    assert {name.split(".")[1] for name in same} == {"0", "1"}


def test_a_part_of_the_training_pictures_was_used(results: Path) -> None:
    split = json.loads((results / "split.json").read_text())
    assert (len(split["training"]), len(split["validation"])) == (16, 6)
