"""Weights that are measured or exported as they are: runs that train nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import BEST, Fit, TaskContext
from modelyard_trainer.weights.clip import by_timms_names
from modelyard_trainer.weights.matching import match, nearest, shape_text, shapes_of, with_shape
from modelyard_trainer.weights.model import FetchedWeights, shortened
from modelyard_trainer.weights.reading import Weights, read_weights

if TYPE_CHECKING:
    from torch import Tensor

_CLASSES = 8
"""Named where those of two sides differ."""


class PublishedWeights(Protocol):
    """What every task's `WeightsFile` says of its network."""

    form: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def architecture(self) -> str:
        """Its name."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What the outputs mean."""

    @property
    def epoch(self) -> int:
        """The epoch that they are of; 0 where nobody knows."""

    def save(self, path: Path) -> None:
        """Write the file."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file."""


File = TypeVar("File", bound=PublishedWeights)


def adopt(
    context: TaskContext,
    kind: type[File],
    make: Callable[[Weights, FetchedWeights], File],
    *,
    device: str,
    classes: tuple[str, ...] | None,
    notices: tuple[str, ...] = (),
) -> Fit:
    """Leave the weights that `spec.model` names as best.pt in the results folder, whole.

    Args:
        context: all that a task is given.
        kind: of the task's own files of weights.
        make: makes one of a file of another origin, such as a state dict; all of it must fit.
        device: to measure them on.
        classes: of the data set, which the weights must know in the same order; None where they need not.
        notices: what is to be said.

    Raises:
        RunError: WeightsInvalid, WeightsDoNotFit.
    """
    fetched = context.weights()
    if fetched is None:
        raise RunError(Reason.SPEC_INVALID, "spec.model: it names no weights; from or pretrained would be right")
    weights = read_weights(fetched)
    file = _own(kind, weights, fetched, context) if weights.form else make(weights, fetched)
    if classes is not None and file.classes != classes:
        raise RunError(
            Reason.WEIGHTS_DO_NOT_FIT,
            f"{fetched.origin} knows the classes {shortened(file.classes, _CLASSES)}, and the data set has "
            f"{shortened(classes, _CLASSES)}; the same ones in the same order would be right",
        )
    trained_at, wanted = getattr(file, "image_size", None), context.document.spec.training.image_size
    if trained_at is not None and trained_at != wanted:
        notices = (*notices, f"the weights were trained at {trained_at} pixels and are used at {wanted}")
        changes: dict[str, Any] = {"image_size": wanted}
        file = replace(file, **changes)
    file.save(context.results / BEST)
    said = f"the weights are of {fetched.origin} (SHA-256 {fetched.sha256})"
    return Fit((), file.epoch, file.classes, device, notices=(said, *notices))


def _own(kind: type[File], weights: Weights, fetched: FetchedWeights, context: TaskContext) -> File:
    """A file that a run of ours has published."""
    task, wanted = context.document.spec.task.value, context.document.spec.model.architecture
    if weights.form != kind.form:
        raise RunError(
            Reason.WEIGHTS_DO_NOT_FIT,
            f"{fetched.origin} holds a {weights.form}, not a {kind.form}, which spec.task {task} needs",
        )
    try:
        file = kind.load(fetched.path)
    except (KeyError, TypeError) as error:
        raise RunError(
            Reason.WEIGHTS_INVALID, f"{fetched.origin} lacks {error}, which files of {kind.form} have"
        ) from error
    if file.architecture != wanted:
        raise RunError(
            Reason.WEIGHTS_DO_NOT_FIT,
            f"{fetched.origin} is a {file.architecture}, but spec.model.architecture is {wanted}; {file.architecture} "
            "would be right",
        )
    return file


def whole(network: Mapping[str, Tensor], weights: Weights, fetched: FetchedWeights, name: str) -> dict[str, Tensor]:
    """A network's weights from a file that has every one of its tensors, as 32-bit floats.

    Args:
        network: its tensors by name, for their shapes.
        weights: what is in the file.
        fetched: where it came from.
        name: of the architecture.

    Raises:
        RunError: WeightsDoNotFit; it lacks one.
    """
    tensors = by_timms_names(weights.tensors, network, fetched.origin)
    wanted, there = shapes_of(network), shapes_of(tensors)
    found = match(wanted, there)
    lacking = [*found.resized, *found.missing]
    if lacking:
        first = lacking[0]
        near = found.resized.get(first) or nearest(first, there)
        raise RunError(
            Reason.WEIGHTS_DO_NOT_FIT,
            f"{fetched.origin} has no {first} of {shape_text(wanted[first])} for {name} with the data set's "
            f"classes; nearest is {with_shape(near, there)}; only whole weights can be measured and exported",
        )
    taken = {each: tensors[other] for each, other in found.taken.items()}
    return {each: tensor.float() if tensor.is_floating_point() else tensor for each, tensor in taken.items()}
