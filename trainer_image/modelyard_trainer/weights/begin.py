"""A network that begins with given weights. Imports torch."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from modelyard_api.outcome import Reason
from torch import Tensor, nn

from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.freezing import Stages
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.weights.clip import by_timms_names
from modelyard_trainer.weights.matching import match, nearest, shapes_of, with_shape
from modelyard_trainer.weights.model import FetchedWeights, Start
from modelyard_trainer.weights.reading import Weights, read_weights

_log = logging.getLogger("modelyard.training")
_MOST_MISSING = 0.5
"""Share of a backbone's tensors that a file may lack."""


def begin(
    context: TaskContext, model: nn.Module, stages: Stages, *, classes: Sequence[str], rows: Collection[str]
) -> Start | None:
    """Give a network at its random start the weights that the run names; None where it names none.

    See `begin_with`.
    """
    fetched = context.weights()
    if fetched is None:
        return None
    name = context.document.spec.model.architecture
    return begin_with(fetched, model, stages, classes=classes, rows=rows, name=name)


def begin_with(
    fetched: FetchedWeights,
    model: nn.Module,
    stages: Stages,
    *,
    classes: Sequence[str],
    rows: Collection[str],
    name: str,
) -> Start:
    """Give a network what fits it of a file.

    Of tensors whose rows are classes, those of classes that the file knows by name are taken. Where the file knows no
    names, such a tensor is taken whole if it has as many rows, and else begins at random as it is.

    Args:
        fetched: the file.
        model: at its random start.
        stages: of its backbone.
        classes: what its outputs mean.
        rows: names of the tensors whose rows are the classes.
        name: of the architecture.

    Raises:
        RunError: WeightsInvalid; WeightsDoNotFit, with the nearest names.
    """
    weights, own = read_weights(fetched), model.state_dict()
    weights = replace(weights, tensors=by_timms_names(weights.tensors, own, fetched.origin))
    found = match(shapes_of(own), shapes_of(weights.tensors))
    backbone = [each for names in stages for each in names] or list(own)
    missing = [each for each in backbone if each not in found.taken]
    if len(missing) > _MOST_MISSING * len(backbone):
        raise _does_not_fit(fetched, name, missing, len(backbone), weights)
    known = weights.classes
    by_name = set(rows) if known is not None and known != tuple(classes) else set()
    adapted = set()
    with torch.no_grad():
        for place, source in {**found.taken, **found.resized}.items():
            if place in by_name and known is not None:
                if _copy_rows(own[place], weights.tensors[source], classes, known):
                    adapted.add(place)
            elif place in found.taken:
                own[place].copy_(weights.tensors[source])
    taken = (set(found.taken) - by_name) | adapted
    start = Start(
        origin=fetched.origin,
        sha256=fetched.sha256,
        taken=len(taken),
        tensors=len(own),
        adapted=tuple(each for each in own if each in adapted),
        anew=tuple(each for each in own if each not in taken),
        left_out=found.left_out,
    )
    _log.info("%s", start.notice)
    return start


def _copy_rows(own: Tensor, other: Tensor, classes: Sequence[str], known: Sequence[str]) -> bool:
    """Whether anything was copied: the rows of classes that both know."""
    if own.shape[1:] != other.shape[1:] or len(own) != len(classes) or len(other) != len(known):
        return False
    pairs = [(row, known.index(name)) for row, name in enumerate(classes) if name in known]
    for row, source in pairs:
        own[row].copy_(other[source])
    return bool(pairs)


def _does_not_fit(fetched: FetchedWeights, name: str, missing: Sequence[str], of: int, weights: Weights) -> RunError:
    there = shapes_of(weights.tensors)
    near = with_shape(nearest(missing[0], there), there)
    return RunError(
        Reason.WEIGHTS_DO_NOT_FIT,
        f"{fetched.origin} does not fit {name}: it has {of - len(missing)} of the {of} tensors of its backbone, by "
        f"name and shape; nearest to {missing[0]} is {near}; weights of {name} would be right",
    )
