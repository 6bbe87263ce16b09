"""The parts of a detection run that need torch, one by one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports.refusing import refuse_what_differs
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks import several
from modelyard_trainer.tasks.base import BEST, TaskContext
from modelyard_trainer.tasks.detection.architecture import find_architecture
from modelyard_trainer.tasks.detection.checkpoint import Checkpoint
from modelyard_trainer.tasks.detection.offline import prepare
from modelyard_trainer.tasks.detection.task import DetectionTask
from PIL import Image

from tests.unit.trainer.datasets import make_dataset, run_document
from tests.unit.trainer.reading import Reads, ReadSteps
from tests.unit.trainer.test_dataset_check import check

SIZE = 64


@pytest.fixture(scope="module", autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> None:
    prepare(tmp_path_factory.mktemp("ultralytics"), threads=2)


def test_prepared_for_fewer_threads_ultralytics_takes_no_more(tmp_path: Path) -> None:
    # It sets torch's threads itself for a device that is the CPU. A forked rank that then had more threads than one
    # waited for ever for those that its parent had had.
    from ultralytics.utils.torch_utils import select_device  # noqa: PLC0415 - only after `prepare`

    prepare(tmp_path, threads=1)
    select_device("cpu")
    found = torch.get_num_threads()
    prepare(tmp_path, threads=2)
    assert (found, torch.get_num_threads()) == (1, 2)


def test_what_comes_after_several_ranks_has_all_cpus_again(
    data: CheckedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.utils.torch_utils import select_device  # noqa: PLC0415 - only after `prepare`

    monkeypatch.setattr(several, "fit_together", lambda *_: prepare(tmp_path, threads=1))
    DetectionTask(TaskContext(run_document(), tmp_path, tmp_path, Progress(1, 1, 1), cpus=2)).fit(data)
    select_device("cpu")
    assert torch.get_num_threads() == 2


@pytest.fixture
def data(tmp_path: Path) -> CheckedDataset:
    return check(make_dataset(tmp_path / "data"))


def untrained(name: str, tmp_path: Path, **changes: object) -> TaskContext:
    """A context whose best.pt is the architecture at its random start."""
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415 - only after `prepare`

    torch.manual_seed(0)
    architecture = find_architecture(name)
    model = DetectionModel(architecture.file, nc=2, ch=3, verbose=False)
    context = TaskContext(run_document(**changes), tmp_path, tmp_path / "results", Progress(1, 1, 1), cpus=2)
    context.results.mkdir()
    weights = model.state_dict()
    Checkpoint(name, architecture.file, ("cat", "dog"), SIZE, 1, {"mAP50": 0.0}, weights).save(context.results / BEST)
    return context


@pytest.mark.parametrize("name", ["yolov5nu", "yolov10n", "yolo26n"])
def test_architectures_with_one_head_and_with_two_are_exported_alike(
    name: str, tmp_path: Path, data: CheckedDataset
) -> None:
    exports = [{"format": "onnx", "opset": 17, "dynamic": True}, {"format": "torchscript"}]
    task = DetectionTask(untrained(name, tmp_path, export=exports))
    for verified in task.verify(data, task.export(data)):
        assert verified.agrees, verified
        assert verified.pictures == 2
        assert verified.judged.drop == pytest.approx(0, abs=1e-6)


def test_an_exported_file_of_other_weights_is_found_out(tmp_path: Path, data: CheckedDataset) -> None:
    context = untrained("yolov5nu", tmp_path, export=[{"format": "onnx", "opset": 14}])
    files = DetectionTask(context).export(data)
    best = Checkpoint.load(context.results / BEST)
    weights = {name: tensor * 1.05 if tensor.ndim == 4 else tensor for name, tensor in best.weights.items()}
    replace(best, weights=weights).save(context.results / BEST)
    (verified,) = DetectionTask(context).verify(data, files)
    assert not verified.agrees
    with pytest.raises(RunError, match=r"best.onnx differs from PyTorch by .* its tolerance allows 0.001"):
        refuse_what_differs([verified])


def test_differences_count_boxes_by_the_image_size_and_never_pass_what_is_no_number(
    tmp_path: Path, data: CheckedDataset
) -> None:
    from modelyard_trainer.exports.comparing import difference  # noqa: PLC0415 - imports torch
    from modelyard_trainer.tasks.detection.export import TrainedDetector  # noqa: PLC0415 - only after `prepare`

    subject = TrainedDetector(untrained("yolov5nu", tmp_path), data)
    images = np.zeros((1, 3, 320, 640), np.float32)
    reference = np.zeros((1, 6, 3), np.float32)
    boxes, scores, broken = reference.copy(), reference.copy(), reference.copy()
    boxes[0, 2, 1], scores[0, 5, 0], broken[0, 0, 0] = 32.0, 0.01, np.nan
    assert difference(subject, boxes, reference, images) == pytest.approx(0.05)
    assert difference(subject, scores, reference, images) == pytest.approx(0.01)
    assert difference(subject, broken, broken, images) == float("inf")
    assert difference(subject, reference[:, :, :2], reference, images) == float("inf")


def test_a_loss_that_is_no_number_ends_the_attempt() -> None:
    from modelyard_trainer.loop.guard import refuse_divergence  # noqa: PLC0415

    refuse_divergence(3, {"box_loss": torch.tensor(1.5)})
    with pytest.raises(RunError, match="not a number any more in epoch 4 \\(box_loss nan\\)") as ended:
        refuse_divergence(3, {"box_loss": torch.tensor(float("nan"))})
    assert ended.value.reason is Reason.DIVERGED


def test_what_ultralytics_is_given_is_what_was_checked(data: CheckedDataset) -> None:
    from modelyard_trainer.tasks.detection.pictures import CheckedPictures, picture_options  # noqa: PLC0415
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    options = picture_options(get_cfg(overrides={"imgsz": SIZE}), data.classes, training=False, batch=4, stride=32)
    pictures = CheckedPictures(data.training, **options)
    assert len(pictures) == len(data.training)
    by_file = {label["im_file"]: label for label in pictures.labels}
    for picture in data.training:
        label = by_file[str(picture.path)]
        assert label["bboxes"].tolist() == picture.objects.boxes.tolist()
        assert label["cls"].ravel().tolist() == picture.objects.classes.tolist()
    assert pictures[0]["img"].shape == (3, 96, 96)  # padded by half a stride on each side, as validation is
    assert not list(data.training[0].path.parent.parent.rglob("*.cache"))


def test_a_disk_cache_lies_in_scratch_not_beside_the_data(data: CheckedDataset, tmp_path: Path) -> None:
    from modelyard_trainer.tasks.detection.pictures import (  # noqa: PLC0415
        CheckedPictures,
        linked,
        picture_options,
    )
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    arguments = get_cfg(overrides={"imgsz": SIZE, "cache": "disk"})
    options = picture_options(arguments, data.classes, training=False, batch=4, stride=32)
    CheckedPictures(linked(data.training, tmp_path / "cache"), **options)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == len(data.training)
    assert not list(data.training[0].path.parent.glob("*.npy"))
    assert Image.open(data.training[0].path).size == (64, 64)


def test_pictures_are_cached_without_a_word(
    data: CheckedDataset, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from modelyard_trainer.tasks.detection.pictures import CheckedPictures, picture_options  # noqa: PLC0415
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    arguments = get_cfg(overrides={"imgsz": SIZE, "cache": "ram", "deterministic": True})
    options = picture_options(arguments, data.classes, training=True, batch=2, stride=32)
    assert all(each is not None for each in CheckedPictures(data.training, **options).ims)
    assert (capsys.readouterr(), [record for record in caplog.records if record.levelname == "WARNING"]) == (
        ("", ""),
        [],
    )


def test_a_rank_needs_no_room_for_the_cache_that_the_first_has_filled(
    data: CheckedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard_trainer.tasks.detection.pictures import (  # noqa: PLC0415
        CheckedPictures,
        linked,
        picture_options,
    )
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    arguments = get_cfg(overrides={"imgsz": SIZE, "cache": "disk"})
    options = picture_options(arguments, data.classes, training=False, batch=4, stride=32)
    pictures = linked(data.training, tmp_path / "cache")
    assert CheckedPictures(pictures, **options).cache == "disk"
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    assert CheckedPictures(pictures, **options).cache is None
    assert CheckedPictures(pictures, filled=True, **options).cache == "disk"


def test_ranks_link_the_same_pictures_at_the_same_time(
    data: CheckedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard_trainer.tasks.detection.pictures import linked  # noqa: PLC0415 - only after `prepare`

    link = Path.symlink_to

    def overtaken(path: Path, target: Path) -> None:
        link(path, target)  # by another rank, after this one has looked
        link(path, target)

    monkeypatch.setattr(Path, "symlink_to", overtaken)
    for picture, original in zip(linked(data.training, tmp_path / "cache"), data.training, strict=True):
        assert picture.path.resolve() == original.path.resolve()


def test_a_picture_that_lies_on_its_side_is_shown_as_it_was_trained_on(tmp_path: Path) -> None:
    from modelyard_trainer.tasks.detection.evaluate import _upright  # noqa: PLC0415 - only after `prepare`

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert _upright(tmp_path / "turned.jpg").size == (20, 40)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_mixed_precision_is_refused_where_a_gpu_was_given_but_none_is_seen(
    tmp_path: Path, data: CheckedDataset
) -> None:
    from modelyard_trainer.tasks.detection.task import DetectionTask  # noqa: PLC0415 - only after `prepare`

    training = {"amp": "fp16", "imageSize": SIZE, "schedule": {"warmupEpochs": 0}}
    given = run_document(model={"architecture": "yolov5nu"}, training=training, resources={"gpus": 1})
    task = DetectionTask(TaskContext(given, tmp_path, tmp_path / "results", Progress(1, 1, 1), cpus=2))
    task.check_spec()
    with pytest.raises(RunError, match="amp: fp16 needs a GPU, and torch sees no CUDA device where this pod runs"):
        task.fit(data)


@dataclass(frozen=True)
class Always:
    """Batches of an epoch that are all the same."""

    batch: dict[str, torch.Tensor]
    times: int

    def __len__(self) -> int:
        return self.times

    def epoch(self, _epoch: int, first: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        return iter([self.batch] * (self.times - first))


def test_a_step_of_a_detector_reads_nothing_back_but_what_ultralytics_loss_does() -> None:
    from modelyard_trainer.loop.freezing import Freezing  # noqa: PLC0415 - imports torch
    from modelyard_trainer.loop.guard import NOBODY, NOTHING  # noqa: PLC0415
    from modelyard_trainer.loop.ranks import ALONE  # noqa: PLC0415
    from modelyard_trainer.tasks.detection.loop import EpochLoop  # noqa: PLC0415 - only after `prepare`
    from ultralytics.cfg import get_cfg  # noqa: PLC0415
    from ultralytics.engine.trainer import BaseTrainer  # noqa: PLC0415
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415
    from ultralytics.utils.torch_utils import ModelEMA  # noqa: PLC0415

    torch.manual_seed(0)
    model: Any = DetectionModel(find_architecture("yolov8n").file, nc=2, ch=3, verbose=False)
    model.args = get_cfg(overrides={"seed": 0})
    batch = {
        "img": torch.rand(2, 3, SIZE, SIZE),
        "batch_idx": torch.tensor([0.0, 0.0, 1.0]),
        "cls": torch.tensor([[0.0], [1.0], [0.0]]),
        "bboxes": torch.tensor([[0.3, 0.3, 0.4, 0.4], [0.7, 0.7, 0.4, 0.4], [0.5, 0.5, 0.6, 0.6]]),
    }

    class Trainer(SimpleNamespace):
        """As much of ultralytics' as a step takes."""

        def optimizer_step(self) -> None:
            BaseTrainer.optimizer_step(self)

        def preprocess_batch(self, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return given

        def _model_train(self) -> None:
            model.train()

        def _get_warmup_iterations(self, steps: int) -> int:
            return steps

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for group in optimizer.param_groups:
        group["initial_lr"] = 0.01
    reads = Reads()
    trainer = Trainer(
        train_loader=ReadSteps(Always(batch, times=2), reads),
        model=model,
        ranks=ALONE,
        lf=lambda _epoch: 1.0,
        args=model.args,
        accumulate=1,
        optimizer=optimizer,
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        ema=ModelEMA(model),
        device=torch.device("cpu"),
        amp=False,
        batch_size=2,
        pictures=4,
        pending=0,
        tloss=None,
        loss_names=None,
    )
    before = next(model.parameters()).clone()
    EpochLoop(trainer, NOBODY, NOTHING, Freezing(model, frozenset(), 0))._train(0, 0)
    assert not torch.equal(next(model.parameters()), before)
    theirs = Counter({"make_anchors": 3, "preprocess": 2, "forward": 1, "get_box_metrics": 1})
    assert Counter(asker for _, asker in reads.found) == theirs + theirs, "in either step"
