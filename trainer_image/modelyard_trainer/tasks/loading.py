"""How the tasks on our own loop load their pictures. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from modelyard_api.pictures import Resize

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.imaging.squares import Side, Squares, squares
from modelyard_trainer.loop.batches import without_a_small_batch
from modelyard_trainer.loop.fit import loader_workers
from modelyard_trainer.tasks.base import TaskContext


def squares_of(context: TaskContext, pictures: Sequence[Picture], side: Side, resize: Resize, name: str) -> Squares:
    """Pictures as squares, kept as the run asks; `name` tells them from its others."""
    return squares(
        pictures,
        side,
        resize,
        cache=context.document.training.cache,
        file=context.scratch / "cache" / f"{name}.npy",
        threads=context.cpus,
        ranks=context.ranks,
    )


def pictures_an_epoch(context: TaskContext, pictures: int) -> int:
    """How many of so many pictures an epoch trains on."""
    document = context.document
    asked = document.spec.training.batch_size
    return without_a_small_batch(pictures, asked, document.batch_size, context.ranks.count)


def left_out(context: TaskContext, pictures: int) -> tuple[str, ...]:
    """What is to be said of the pictures that an epoch does not train on."""
    left = pictures - pictures_an_epoch(context, pictures)
    if not left:
        return ()
    return (
        f"each epoch leaves out {left} of {pictures} pictures, others each time: "
        "they would be a last batch of fewer than half of training.batchSize",
    )


class Loading(TypedDict):
    """What a loader of pictures that are only looked at takes beside them."""

    batch_size: int
    workers: int


def loading(context: TaskContext, pictures: int, device: str, workers: int | None = None) -> Loading:
    """So many pictures at once as one process looks at, and no more processes than there are batches."""
    batch_size = min(context.at_once, pictures)
    return {
        "batch_size": batch_size,
        "workers": loader_workers(context, device, -(-pictures // batch_size), workers),
    }
