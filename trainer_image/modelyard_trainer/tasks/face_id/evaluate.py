"""What the published weights do on the pictures that were set aside. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import torch
from modelyard_api.face_id import FaceId

from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.embeddings.held_out import Verification, verification_of
from modelyard_trainer.embeddings.plots import draw_roc, draw_similarities
from modelyard_trainer.tasks.base import BEST, Evaluation, Fit, TaskContext
from modelyard_trainer.tasks.classification.learner import labels_of
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.face_id.network import Identifier
from modelyard_trainer.tasks.face_id.recipe import examiner, extractor
from modelyard_trainer.tasks.plots import draw_confusion, draw_curves, drawn
from modelyard_trainer.tasks.sides import examine_sides, metrics_of

VERIFICATION_FILE = "verification.json"
MOST_SHOWN = 1000
"""Identities of which each one's numbers and the confusion matrix are shown: more are nobody's to read, nor small."""


def evaluate(context: TaskContext, block: FaceId, data: CheckedDataset, fit: Fit) -> Evaluation:
    """Examine best.pt on pictures of known identities, and verify pairs of those held out; leave plots.

    Numbers of each identity and the confusion matrix are the test's where there is one.
    """
    device = torch.device(fit.device)
    model = build_model(Checkpoint.load(context.results / BEST)).to(device)
    found = examine_sides(
        data,
        lambda name, pictures: examiner(context, block, pictures, device, name=name),
        lambda examiner: examiner.examine(model),
    )
    # Weights that are only measured may meet nobody whom they know.
    last, classes = next(reversed(found), None), len(data.classes)
    scores = found[last].scores(classes) if last and classes <= MOST_SHOWN else None
    plots: dict[str, Callable[[Path], None]] = {
        "curves.png": lambda path: draw_curves(fit.epochs, ("top1", "top5"), path)
    }
    if scores is not None:
        matrix = scores.confusion.T
        plots["confusion_matrix.png"] = lambda path: draw_confusion(matrix, data.classes, path, f"{last} pictures")
    metrics = metrics_of(found)
    verification = _verify(context, block, data, model, device)
    roc = verification.roc
    if roc is not None:
        similarities, same = verification.similarities, verification.same
        plots |= {
            "roc.png": lambda path: draw_roc(roc, path),
            "similarities.png": lambda path: draw_similarities(similarities, same, path),
        }
        verification.write(context.results / VERIFICATION_FILE)
    return Evaluation(
        metrics={**metrics, **verification.metrics()},
        per_class=scores.per_class(data.classes) if scores else {},
        notices=(*verification.notices(), *drawn(plots, context.results)),
    )


def _verify(
    context: TaskContext, block: FaceId, data: CheckedDataset, model: Identifier, device: torch.device
) -> Verification:
    if not data.held_out:
        return Verification()
    with closing(extractor(context, block, data.held_out, device)) as embed:
        embeddings = embed.embed(model.embedder)
    return verification_of(embeddings.cpu().numpy(), labels_of(data.held_out).numpy())
