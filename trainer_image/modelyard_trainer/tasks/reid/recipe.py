"""What re-identification brings to the loop. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from modelyard_api.pictures import Resize
from modelyard_api.reid import Distance, Reid
from torch import Tensor

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.dataset.reid import ReidDataset, Target
from modelyard_trainer.embeddings.extract import Extractor
from modelyard_trainer.imaging.pictures import TrainingPictures, collate, put_on
from modelyard_trainer.imaging.squares import Squares
from modelyard_trainer.loop.aware import Deployed
from modelyard_trainer.loop.drawing import Purpose, draw_from
from modelyard_trainer.loop.fit import Recipe
from modelyard_trainer.loop.freezing import head_of
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.loading import left_out, loading, pictures_an_epoch, squares_of
from modelyard_trainer.tasks.reid.architecture import build
from modelyard_trainer.tasks.reid.augment import Variation
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint
from modelyard_trainer.tasks.reid.finder import Finder
from modelyard_trainer.tasks.reid.learner import ReidLearner
from modelyard_trainer.tasks.reid.network import backbone_weights, stages_of
from modelyard_trainer.tasks.reid.sampling import order_of

FORM = "modelyard/reid-training/v1"
RESIZE = Resize.STRETCH
"""As torchreid does: persons fill their boxes, whose form tells little."""


def recipe_of(context: TaskContext, block: Reid, data: ReidDataset, device: str, finders: Sequence[Finder]) -> Recipe:
    """The recipe; the finders are what it validates with."""
    document, spec = context.document, context.document.spec
    training, on = document.training, torch.device(device)
    order, pictures = order_of(training.seed, data.seen, block, spec.training.batch_size)
    draw_from(training.seed, Purpose.WEIGHTS, 0, 0)
    model = build(
        spec.model.architecture,
        len(data.classes),
        normalize=block.normalize,
        unit=block.distance is Distance.COSINE,
    )
    put_on(on, model)

    def write(path: Path, epoch: int, metrics: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        Checkpoint(
            architecture=spec.model.architecture,
            classes=data.classes,
            height=block.height,
            width=block.width,
            normalize=block.normalize,
            distance=block.distance.value,
            epoch=epoch,
            metrics=metrics,
            weights=backbone_weights(weights),
        ).save(path)

    return Recipe(
        form=FORM,
        identity={
            "reid": block.to_json_object(),
            "emaDecay": training.ema_decay,
            "evaluateEvery": training.evaluate_every,
            "batch": spec.training.batch_size,
        },
        classes=data.classes,
        model=model,
        learner=ReidLearner(block.loss, data.seen, finders, on, context.ranks),
        pictures=TrainingPictures(
            _rectangles(context, block, data.seen.pictures, "training"),
            order,
            Variation(block.augment),
            training.seed,
            pictures_an_epoch(context, pictures),
        ),
        collate=collate,
        metric=block.metric.value,
        write=write,
        notices=left_out(context, pictures),
        deployed=Deployed(model, (block.height, block.width), model.backbone.load_state_dict),
        stages=stages_of(model),
        rows=head_of(model, stages_of(model)),
    )


@contextmanager
def finders_of(
    context: TaskContext, block: Reid, data: ReidDataset, device: str, workers: int | None = None
) -> Iterator[tuple[Finder, ...]]:
    """What looks for the persons of each target, in the same way whenever it is asked."""
    finders = tuple(
        finder_of(context, block, target, device, workers=workers, name=f"target{number}")
        for number, target in enumerate(data.targets)
    )
    try:
        yield finders
    finally:
        for finder in finders:
            finder.close()


def finder_of(
    context: TaskContext, block: Reid, target: Target, device: str, *, workers: int | None, name: str
) -> Finder:
    """What looks for the persons of one target; it is to be closed."""
    pictures = (*target.query.pictures, *target.gallery.pictures)
    extractor = Extractor(
        _rectangles(context, block, pictures, name),
        **loading(context, len(pictures), device, workers),
        device=torch.device(device),
    )
    return Finder(target, extractor, block)


def _rectangles(context: TaskContext, block: Reid, pictures: Sequence[Picture], name: str) -> Squares:
    return squares_of(context, pictures, (block.height, block.width), RESIZE, name)
