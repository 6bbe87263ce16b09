"""What the published weights do on the pictures that were set aside. Imports torch."""

from __future__ import annotations

import torch
from modelyard_api.classification import Classification

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.tasks.base import BEST, Evaluation, Fit, TaskContext
from modelyard_trainer.tasks.classification.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.classification.recipe import examiner
from modelyard_trainer.tasks.plots import draw_confusion, draw_curves, drawn
from modelyard_trainer.tasks.sides import examine_sides, metrics_of


def evaluate(context: TaskContext, block: Classification, data: CheckedDataset, fit: Fit) -> Evaluation:
    """Examine best.pt on the validation pictures, and on the test's where there are some; leave plots.

    Numbers of each class and the confusion matrix are the test's where there is one.
    """
    device = torch.device(fit.device)
    model = build_model(Checkpoint.load(context.results / BEST)).to(device)
    found = examine_sides(
        data,
        lambda name, pictures: examiner(context, block, pictures, len(data.classes), device, name=name),
        lambda examiner: examiner.examine(model),
    )
    last = list(found)[-1]
    scores = found[last].scores
    notices = drawn(
        {
            "curves.png": lambda path: draw_curves(fit.epochs, ("macroF1", "accuracy"), path),
            "confusion_matrix.png": lambda path: draw_confusion(
                scores.confusion.T, data.classes, path, f"{last} pictures"
            ),
        },
        context.results,
    )
    metrics = metrics_of(found)
    first = block.metric.value
    return Evaluation(
        metrics={first: metrics[first], **metrics}, per_class=scores.per_class(data.classes), notices=notices
    )
