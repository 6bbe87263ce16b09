"""Weights handed from run to run: fine-tuned, measured and exported, each by a run of its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_trainer.errors import RunError
from modelyard_trainer.files import parse_checksums
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.run import run

from examples.animals import make_sightings
from examples.digits import make_dataset, make_folders
from tests.unit.trainer.datasets import run_document

SETTINGS: dict[str, dict[str, Any]] = {
    "classification": {
        "task": "classification",
        "model": {"architecture": "test_resnet"},
        "training": {"epochs": 2, "batchSize": 8, "imageSize": 28, "schedule": {"warmupEpochs": 0}, "seed": 3},
        "classification": {"testSplit": 0.2},
    },
    "face-id": {
        "task": "face-id",
        "model": {"architecture": "test_resnet"},
        "training": {"epochs": 2, "batchSize": 8, "imageSize": 28, "schedule": {"warmupEpochs": 0}, "seed": 3},
        "faceId": {"embeddingSize": 16, "scale": 16, "heldOutIdentities": {"count": 2}},
    },
    "reid": {
        "task": "reid",
        "model": {"architecture": "osnet_x0_25"},
        "training": {"epochs": 1, "batchSize": 8, "schedule": {"warmupEpochs": 0}, "seed": 3},
        "reid": {"height": 40, "width": 20},
    },
    "detection": {
        "task": "detection",
        "model": {"architecture": "yolov8n"},
        "training": {"epochs": 1, "batchSize": 8, "imageSize": 64, "schedule": {"warmupEpochs": 0}, "seed": 3},
    },
}
PLOTS = {
    "classification": {"plots/confusion_matrix.png"},
    "face-id": {"plots/confusion_matrix.png", "plots/roc.png", "verification.json"},
    "reid": {"plots/ranked.jpg"},
    "detection": {"plots/confusion_matrix.png"},
}


@dataclass(frozen=True)
class Ran:
    """What a run has left."""

    folder: Path
    told: tuple[Snapshot, ...]

    @property
    def record(self) -> Any:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def task(self) -> str:
        return str(self.record["run"]["spec"]["task"])

    def weights(self, name: str = "best.pt") -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = torch.load(self.folder / name, weights_only=True)["state_dict"]
        return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("data")
    make_folders.make(root / "folders", images=60)
    make_dataset.make(root / "boxes", images=16, size=64, seed=2)
    make_sightings.make(root / "sightings", individuals=4, height=40)
    folders = {"path": str(root / "folders"), "format": "image-folder"}
    return {
        "classification": folders,
        "face-id": folders,
        "reid": {"path": str(root / "sightings"), "format": "market1501"},
        "detection": {"path": str(root / "boxes"), "format": "yolo"},
    }


def ran(root: Path, dataset: dict[str, Any], **spec: Any) -> Ran:
    """A whole run, as on a laptop."""
    settings = {"export": [{"format": "onnx"}], "resources": {"gpus": 0}, **spec}
    document = run_document(**settings, dataset=dataset, artifacts={"path": str(root / "out")})
    told: list[Snapshot] = []
    progress = Progress(1, document.batch_size, document.spec.epochs_to_train)
    progress.listen(lambda snapshot, _urgent: told.append(snapshot))
    run(document, Places(root / "scratch", in_cluster=False), progress)
    return Ran(root / "out", tuple(told))


@pytest.fixture(scope="module", params=list(SETTINGS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> Ran:
    task: str = request.param
    return ran(tmp_path_factory.mktemp(task), data[task], **SETTINGS[task])


def again(trained: Ran, root: Path, **spec: Any) -> Ran:
    """Another run of the same task and data, from what was trained."""
    asked = trained.record["run"]["spec"]
    task = asked["task"]
    settings = {**SETTINGS[task], **spec}
    settings["model"] = {**SETTINGS[task]["model"], "from": {"path": str(trained.folder)}, **spec.get("model", {})}
    return ran(root, asked["dataset"], **settings)


def only(*tasks: str) -> pytest.MarkDecorator:
    """For a test that makes sense for these tasks alone."""
    return pytest.mark.parametrize("trained", tasks, indirect=True, scope="module")


def test_an_evaluation_measures_the_same_and_publishes_no_weights(trained: Ran, tmp_path: Path) -> None:
    evaluated = again(trained, tmp_path, mode="evaluate")
    record = evaluated.record
    assert record["metrics"] == pytest.approx(trained.record["metrics"], abs=1e-6)
    assert (record["epochs"], record["exports"], record["bestEpoch"]) == (0, [], trained.record["bestEpoch"])
    names = set(parse_checksums((evaluated.folder / "SHA256SUMS").read_text()))
    assert {"run.json", "report.html", *PLOTS[trained.task]} <= names
    assert not {name for name in names if name.endswith((".pt", ".onnx", "curves.png"))}
    stages = list(dict.fromkeys(snapshot.stage for snapshot in evaluated.told))
    assert stages == [Stage.FETCHING, Stage.CHECKING, Stage.EVALUATING, Stage.PUBLISHING, Stage.FINISHED]
    percents = [snapshot.percent for snapshot in evaluated.told]
    assert percents == sorted(percents)
    assert "without training" in (evaluated.folder / "report.html").read_text()


@only("face-id")
def test_an_identifier_is_measured_on_strangers_alone(
    trained: Ran, data: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    record, folders = trained.record, Path(data["face-id"]["path"])
    strangers = set(make_folders.NAMES) - set(record["dataset"]["classNames"])
    for name in strangers:
        shutil.copytree(folders / name, tmp_path / "data" / "test" / name)
    start = {"from": {"path": str(trained.folder)}}
    settings = {**SETTINGS["face-id"], "model": {**SETTINGS["face-id"]["model"], **start}}
    elsewhere = {"path": str(tmp_path / "data"), "format": "image-folder"}
    measured = ran(tmp_path / "run", elsewhere, **settings, mode="evaluate").record
    wanted = {name: value for name, value in record["metrics"].items() if name.startswith("verification/")}
    assert len(strangers) == 2
    assert measured["metrics"] == pytest.approx(wanted, abs=1e-6)


def test_an_export_publishes_what_the_training_would_have(trained: Ran, tmp_path: Path) -> None:
    exported = again(trained, tmp_path, mode="export", export=[{"format": "onnx", "dynamic": True}])
    (export,) = exported.record["exports"]
    assert (export["name"], export["dynamic"]) == ("best.onnx", True)
    assert {"best.pt", "best.onnx"} <= set(parse_checksums((exported.folder / "SHA256SUMS").read_text()))
    one, other = exported.weights(), trained.weights()
    assert all(torch.equal(one[name], other[name]) for name in other)


@only("classification", "detection")
def test_a_fine_tuning_of_nothing_but_the_head_keeps_the_backbone(trained: Ran, tmp_path: Path) -> None:
    task = trained.record["run"]["spec"]["task"]
    training = {**SETTINGS[task]["training"], "epochs": 1, "freezeBackbone": True}
    tuned = again(trained, tmp_path, training=training, export=[])
    record = tuned.record
    start = record["startedFrom"]
    assert (start["taken"], start["adapted"], start["anew"]) == (start["tensors"], [], [])
    assert record["notices"][0].startswith("the weights at the start: ")
    one, other = tuned.weights("last.pt"), trained.weights()
    first = next(name for name in other if name.endswith("weight"))
    assert torch.equal(one[first], other[first])
    assert any(not torch.equal(one[name], other[name]) for name in other)


@only("classification", "detection")
def test_weights_of_other_classes_are_not_measured(trained: Ran, tmp_path: Path) -> None:
    other = (
        {"classification": {"testSplit": 0.2, "classes": [*trained.record["dataset"]["classNames"], "ten"]}}
        if trained.task == "classification"
        else {"detection": {"singleClass": True}}
    )
    with pytest.raises(RunError, match="the same ones in the same order would be right") as refusal:
        again(trained, tmp_path, mode="evaluate", **other)
    assert refusal.value.reason is Reason.WEIGHTS_DO_NOT_FIT


def test_weights_of_another_architecture_are_not_measured(trained: Ran, tmp_path: Path) -> None:
    others = {"test_resnet": "test_vit2", "osnet_x0_25": "osnet_x0_5", "yolov8n": "yolo11n"}
    other = others[trained.record["run"]["spec"]["model"]["architecture"]]
    with pytest.raises(RunError, match=f"but spec.model.architecture is {other}") as refusal:
        again(trained, tmp_path, mode="evaluate", model={"architecture": other})
    assert refusal.value.reason is Reason.WEIGHTS_DO_NOT_FIT


def test_a_plain_state_dict_is_measured_where_all_of_it_fits(trained: Ran, tmp_path: Path) -> None:
    weights = trained.weights()
    torch.save({f"module.{name}": tensor for name, tensor in weights.items()}, tmp_path / "plain.pth")
    pretrained = {"from": None, "pretrained": {"path": str(tmp_path / "plain.pth")}}
    evaluated = again(trained, tmp_path / "whole", mode="evaluate", model=pretrained)
    assert evaluated.record["metrics"] == pytest.approx(trained.record["metrics"], abs=1e-6)
    del weights[list(weights)[-1]]
    torch.save(weights, tmp_path / "plain.pth")
    with pytest.raises(RunError, match="only whole weights can be measured and exported"):
        again(trained, tmp_path / "part", mode="evaluate", model=pretrained)
