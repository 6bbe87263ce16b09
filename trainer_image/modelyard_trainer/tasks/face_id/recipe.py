"""What face identification brings to the loop. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from modelyard_api.face_id import FaceId
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.embeddings.extract import Extractor
from modelyard_trainer.imaging.augment import augmentation
from modelyard_trainer.imaging.pictures import TrainingPictures, collate, put_on
from modelyard_trainer.imaging.squares import largest_side
from modelyard_trainer.loop.aware import Deployed
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.loop.fit import Recipe
from modelyard_trainer.loop.sampling import shuffled
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint
from modelyard_trainer.tasks.face_id.learner import Examiner, FaceIdLearner
from modelyard_trainer.tasks.face_id.network import build
from modelyard_trainer.tasks.loading import left_out, loading, pictures_an_epoch, squares_of
from modelyard_trainer.tasks.timm_stages import all_stages

FORM = "modelyard/face-id-training/v1"
METRIC = "top1"
"""What epochs are compared by."""
COLUMNS = {
    "lr": "lr",
    "train_loss": "train/loss",
    "train_top1": "train/top1",
    "train_top5": "train/top5",
    "val_loss": "val/loss",
    "val_top1": "top1",
    "val_top5": "top5",
}
"""Of metrics.csv, which people have tools for."""


def recipe_of(
    context: TaskContext, block: FaceId, data: CheckedDataset, device: str, workers: int | None
) -> tuple[Recipe, Examiner]:
    """The recipe, and what it validates with, which is to be closed."""
    training, spec = context.document.training, context.document.spec
    augment = augmentation(block.augment, training.image_size)
    source = augment.source_side(largest_side(data.training))
    on = torch.device(device)
    draw_from(training.seed, Purpose.WEIGHTS, 0, 0)
    model = build(spec.model.architecture, block, len(data.classes), training.image_size)
    put_on(on, model)
    validation = examiner(context, block, data.validation, on, workers=workers)

    def write(path: Path, epoch: int, metrics: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        Checkpoint(
            architecture=spec.model.architecture,
            classes=data.classes,
            image_size=training.image_size,
            resize=block.resize.value,
            embedding_size=block.embedding_size,
            head=block.head.value,
            scale=block.logit_scale,
            margin=block.logit_margin,
            epoch=epoch,
            metrics=metrics,
            weights=weights,
        ).save(path)

    recipe = Recipe(
        form=FORM,
        identity={"faceId": block.to_json_object(), "emaDecay": training.ema_decay},
        classes=data.classes,
        model=model,
        learner=FaceIdLearner(data.training, validation, on),
        pictures=TrainingPictures(
            squares_of(context, data.training, source, block.resize, "training"),
            shuffled(training.seed, len(data.training)),
            augment,
            training.seed,
            pictures_an_epoch(context, len(data.training)),
        ),
        collate=collate,
        metric=METRIC,
        write=write,
        notices=left_out(context, len(data.training)),
        deployed=Deployed(model.embedder, (training.image_size, training.image_size), model.load_state_dict),
        rows=frozenset(f"head.{name}" for name, _ in model.head.named_parameters()),
        stages=all_stages(model.embedder.backbone, "embedder.backbone."),
        columns=COLUMNS,
        synchronise=convert_sync_batchnorm,
    )
    return recipe, validation


def examiner(
    context: TaskContext,
    block: FaceId,
    pictures: Sequence[Picture],
    device: torch.device,
    *,
    workers: int | None = None,
    name: str = "validation",
) -> Examiner:
    """What looks at pictures of known identities in the same way whenever it is asked."""
    seen = squares_of(context, pictures, context.document.training.image_size, block.resize, name)
    return Examiner(pictures, seen, **loading(context, len(pictures), str(device), workers), device=device)


def extractor(context: TaskContext, block: FaceId, pictures: Sequence[Picture], device: torch.device) -> Extractor:
    """What embeds pictures of identities that were held out."""
    seen = squares_of(context, pictures, context.document.training.image_size, block.resize, "held-out")
    return Extractor(seen, **loading(context, len(pictures), str(device)), device=device)
