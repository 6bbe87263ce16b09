"""The same classifier by timm: its data pipeline, loss, optimizer, schedule and checkpoints, in a loop of a page."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from modelyard_api.run_document import RunDocument
from modelyard_trainer.dataset.model import CheckedDataset
from sklearn.metrics import f1_score
from timm.data.transforms_factory import create_transform
from timm.loss.cross_entropy import LabelSmoothingCrossEntropy
from timm.optim._optim_factory import create_optimizer_v2
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.utils.checkpoint_saver import CheckpointSaver
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bench.training.measured import Stopwatch
from bench.training.pictures import Pictures


def train(document: RunDocument, data: CheckedDataset, watch: Stopwatch, scratch: Path, threads: int) -> None:
    """Train as the run asks, on batches in an order of torch's own.

    Args:
        document: the run; its augmentation must be none.
        data: its data set.
        watch: told of batches and epochs.
        scratch: where checkpoints are written, each epoch's, as timm's own script does.
        threads: of the CPU.
    """
    training, block = document.spec.training, document.spec.classification
    assert block is not None  # noqa: S101 - the example has one
    torch.set_num_threads(threads)
    torch.manual_seed(training.seed)
    model = timm.create_model(document.spec.model.architecture, pretrained=False, num_classes=len(data.classes))
    asked = training.optimizer
    optimizer = create_optimizer_v2(
        model, opt=asked.name.value.lower(), lr=asked.learning_rate, weight_decay=asked.weight_decay
    )
    as_tensor = create_transform(training.image_size, is_training=False, crop_pct=1.0)
    # As timm's own loader for training.
    loader = DataLoader(Pictures(data.training, as_tensor), document.batch_size, shuffle=True, drop_last=True)
    steps = len(loader)
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=training.epochs * steps,
        lr_min=asked.learning_rate * training.schedule.final_fraction,
        warmup_t=round(training.schedule.warmup_epochs * steps),
        t_in_epochs=False,
    )
    loss_of = LabelSmoothingCrossEntropy(block.label_smoothing)  # type: ignore[no-untyped-call]
    validation = DataLoader(Pictures(data.validation, as_tensor), document.batch_size)
    saver = CheckpointSaver(model, optimizer, checkpoint_dir=str(scratch))  # type: ignore[no-untyped-call]
    done = 0
    for epoch in range(training.epochs):
        model.train()
        for images, labels in loader:
            schedule.step_update(done)
            optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()
            done += 1
            watch.batch_done()
        macro_f1 = _macro_f1(model, validation)
        saver.save_checkpoint(epoch, macro_f1)  # type: ignore[no-untyped-call]
        watch.epoch_done({"macroF1": macro_f1})


@torch.no_grad()
def _macro_f1(model: nn.Module, validation: DataLoader[tuple[Tensor, int]]) -> float:
    model.eval()
    pairs = [(model(images).argmax(1), labels) for images, labels in validation]
    predicted, truth = (torch.cat(each).numpy() for each in zip(*pairs, strict=True))
    return float(f1_score(truth, predicted, average="macro"))
