"""The same re-identification by torchreid's own data manager, optimizer, schedule, engine and evaluation."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from modelyard_api.reid import ReidAugment
from modelyard_api.run_document import RunDocument
from modelyard_trainer.dataset.model import CheckedDataset
from torch.optim.lr_scheduler import LambdaLR

from bench.training.measured import Stopwatch
from bench.training.rates import warm_cosine

_LAYOUT = Path("market1501") / "Market-1501-v15.09.15"
"""Where torchreid looks for Market-1501 below its root."""


def train(document: RunDocument, data: CheckedDataset, watch: Stopwatch, scratch: Path, threads: int) -> None:
    """Train as the run asks, in batches of torchreid's own drawing.

    The learning rate is changed step by step, with a warm-up: with torchreid's own cosine, which has none and changes
    once an epoch, all embeddings of the example fall together within its first epoch.

    Args:
        document: the run, with SGD, its own flips and crops, and batches of persons.
        data: its data set.
        watch: told of batches and epochs.
        scratch: an empty folder.
        threads: of the CPU. Pictures are loaded without further processes, as ours are without a GPU.
    """
    spec, training, block = document.spec, document.spec.training, document.spec.reid
    assert block is not None and block.augment == ReidAugment(random_flip=0.5, random_crop=0.5)  # noqa: S101 - the example's
    torch.set_num_threads(threads)
    torchreid = _torchreid()
    torchreid.utils.set_random_seed(training.seed)
    manager = torchreid.data.ImageDataManager(
        root=str(_root(spec.dataset.path or "", scratch)),
        sources="market1501",
        height=block.height,
        width=block.width,
        transforms=["random_flip", "random_crop"],
        batch_size_train=document.batch_size,
        batch_size_test=document.batch_size,
        workers=0,
        num_instances=block.sampler.num_instances,
        train_sampler="RandomIdentitySampler",
        use_gpu=False,
    )
    persons = manager.num_train_pids
    assert persons == len(data.classes)  # noqa: S101 - both read the same file names
    model = torchreid.models.build_model(
        spec.model.architecture, num_classes=persons, loss="triplet", pretrained=False, use_gpu=False
    )
    asked = training.optimizer
    optimizer = torchreid.optim.build_optimizer(
        model,
        optim=asked.name.value.lower(),
        lr=asked.learning_rate,
        weight_decay=asked.weight_decay,
        momentum=asked.momentum,
    )
    steps = len(manager.train_loader)
    schedule = warm_cosine(
        optimizer,
        steps=training.epochs * steps,
        warm=training.schedule.warmup_epochs * steps,
        last=(training.schedule.eta_min or 0.0) / asked.learning_rate,
    )
    engine = torchreid.engine.ImageTripletEngine(
        manager,
        model,
        optimizer,
        margin=block.loss.margin,
        weight_t=block.loss.weight_t,
        weight_x=block.loss.weight_x,
        scheduler=schedule,
        use_gpu=False,
        label_smooth=block.loss.label_smoothing > 0,
    )
    _listen(engine, schedule, watch)
    engine.run(
        save_dir=str(scratch / "log"),
        max_epoch=training.epochs,
        eval_freq=1,
        dist_metric=block.distance.value,
        ranks=list(block.ranks),
    )


def _listen(engine: Any, schedule: LambdaLR, watch: Stopwatch) -> None:
    trained, evaluated = engine.forward_backward, engine._evaluate

    def forward_backward(batch: Any) -> Any:
        summary = trained(batch)
        schedule.step()
        watch.batch_done()
        return summary

    def evaluate(*given: Any, **named: Any) -> Any:
        rank1, mean_average_precision = evaluated(*given, **named)
        watch.epoch_done({"rank1": rank1, "mAP": mean_average_precision})
        return rank1, mean_average_precision

    engine.forward_backward, engine._evaluate = forward_backward, evaluate
    engine.update_lr = lambda: None  # once an epoch


def _root(dataset: str, scratch: Path) -> Path:
    place = scratch / "root" / _LAYOUT
    place.parent.mkdir(parents=True)
    place.symlink_to(dataset, target_is_directory=True)
    return scratch / "root"


def _torchreid() -> Any:
    """Torchreid without gdown, which nothing here calls, and with a TensorBoard that writes nothing.

    Both would bring a dozen packages. Without the writing it is a little faster than people have it.
    """
    board = ModuleType("torch.utils.tensorboard")
    vars(board)["SummaryWriter"] = _Unwritten
    sys.modules |= {"gdown": ModuleType("gdown"), board.__name__: board}
    return importlib.import_module("torchreid")


class _Unwritten:
    """A summary writer that forgets."""

    def __init__(self, log_dir: str) -> None:
        del log_dir

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
