"""What the published weights do on the targets. Imports torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from modelyard_api.reid import Reid
from torch import Tensor

from modelyard_trainer.dataset.reid import ReidDataset
from modelyard_trainer.tasks.base import BEST, Evaluation, Fit, TaskContext
from modelyard_trainer.tasks.plots import draw_curves, drawn
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint, build_model
from modelyard_trainer.tasks.reid.finder import Finder, distances_of, reranked_distances
from modelyard_trainer.tasks.reid.ranked import chosen_queries, draw_ranked
from modelyard_trainer.tasks.reid.ranking import averaged
from modelyard_trainer.tasks.reid.recipe import finders_of

_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def evaluate(context: TaskContext, block: Reid, data: ReidDataset, fit: Fit) -> Evaluation:
    """Measure best.pt on every target, re-ranked too where that is asked for; leave plots."""
    model = build_model(Checkpoint.load(context.results / BEST)).to(fit.device)
    found: dict[str, dict[str, float]] = {}
    again: dict[str, dict[str, float]] = {}
    plots: dict[str, Callable[[Path], None]] = {
        "curves.png": lambda path: draw_curves(fit.epochs, ("mAP", *(f"rank{rank}" for rank in block.ranks)), path)
    }
    with finders_of(context, block, data, fit.device) as finders:
        for finder in finders:
            name = finder.target.name
            queries, gallery = finder.embed(model)
            found[name] = finder.counted(distances_of(queries, gallery))
            if block.rerank:
                again[name] = finder.counted(iter([reranked_distances(queries, gallery, block.rerank)]))
            if block.visrank_topk:
                suffix = f"_{_PLAIN.sub('-', name)}" if name else ""
                plots[f"ranked{suffix}.jpg"] = partial(_ranked, finder, block, queries, gallery)
    notices = drawn(plots, context.results)
    metrics = averaged(found)
    metrics |= {f"rerank/{name}": value for name, value in averaged(again).items()} if again else {}
    first = block.metric.value
    return Evaluation(metrics={first: metrics[first], **metrics}, notices=notices)


def _ranked(finder: Finder, block: Reid, queries: Tensor, gallery: Tensor, path: Path) -> None:
    chosen = chosen_queries(finder.target)
    distances = np.concatenate(list(distances_of(queries[chosen], gallery)))
    size = block.height, block.width
    draw_ranked(finder.target, chosen, distances, size=size, places=block.visrank_topk, path=path)
