"""What classification brings to the loop. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from modelyard_api.classification import Balance, Classification
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor

from modelyard_trainer.dataset.model import CheckedDataset, Picture
from modelyard_trainer.imaging.augment import augmentation
from modelyard_trainer.imaging.pictures import TrainingPictures, collate, put_on
from modelyard_trainer.imaging.squares import largest_side
from modelyard_trainer.loop.aware import Deployed
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.loop.fit import Recipe
from modelyard_trainer.loop.freezing import head_of
from modelyard_trainer.loop.sampling import Balanced, shuffled
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.classification.architecture import build
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint
from modelyard_trainer.tasks.classification.learner import ClassificationLearner, Examiner, labels_of
from modelyard_trainer.tasks.classification.network import backbone_weights, stages_of
from modelyard_trainer.tasks.loading import left_out, loading, pictures_an_epoch, squares_of

FORM = "modelyard/classification-training/v1"


def recipe_of(
    context: TaskContext, block: Classification, data: CheckedDataset, device: str, workers: int | None
) -> tuple[Recipe, Examiner]:
    """The recipe, and what it validates with, which is to be closed."""
    training, spec = context.document.training, context.document.spec
    augment = augmentation(block.augment, training.image_size)
    source = augment.source_side(largest_side(data.training))
    labels = labels_of(data.training).tolist()
    order = (
        Balanced(training.seed, labels)
        if block.balance is Balance.SAMPLING
        else shuffled(training.seed, len(data.training))
    )
    on = torch.device(device)
    draw_from(training.seed, Purpose.WEIGHTS, 0, 0)
    model = build(spec.model.architecture, len(data.classes), training.image_size, block.dropout)
    put_on(on, model)
    validation = examiner(context, block, data.validation, len(data.classes), on, workers=workers)

    def write(path: Path, epoch: int, metrics: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        Checkpoint(
            architecture=spec.model.architecture,
            classes=data.classes,
            image_size=training.image_size,
            resize=block.resize.value,
            epoch=epoch,
            metrics=metrics,
            weights=backbone_weights(weights),
        ).save(path)

    stages = stages_of(model)
    recipe = Recipe(
        form=FORM,
        identity={"classification": block.to_json_object(), "emaDecay": training.ema_decay},
        classes=data.classes,
        model=model,
        learner=ClassificationLearner(block, data.training, len(data.classes), validation, on),
        pictures=TrainingPictures(
            squares_of(context, data.training, source, block.resize, "training"),
            order,
            augment,
            training.seed,
            pictures_an_epoch(context, len(data.training)),
        ),
        collate=collate,
        metric=block.metric.value,
        write=write,
        notices=left_out(context, len(data.training)),
        deployed=Deployed(model, (training.image_size, training.image_size), model.backbone.load_state_dict),
        stages=stages,
        rows=head_of(model, stages),
        synchronise=convert_sync_batchnorm,
    )
    return recipe, validation


def examiner(
    context: TaskContext,
    block: Classification,
    pictures: Sequence[Picture],
    classes: int,
    device: torch.device,
    *,
    workers: int | None = None,
    name: str = "validation",
) -> Examiner:
    """What looks at pictures in the same way whenever it is asked: the same numbers come of the same weights."""
    return Examiner(
        pictures,
        squares_of(context, pictures, context.document.training.image_size, block.resize, name),
        classes=classes,
        **loading(context, len(pictures), str(device), workers),
        device=device,
    )
