"""Snapshots of a training: how they are kept, and whether one is of the training that is asked for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from modelyard_api.run_document import RunDocument

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.model import CheckedDataset
from modelyard_trainer.loop.history import History
from modelyard_trainer.quantising.file import QUANTISED
from modelyard_trainer.tasks.base import BEST, LAST, TaskContext
from modelyard_trainer.weights.model import Start

_log = logging.getLogger("modelyard.training")


def fingerprint(document: RunDocument, data: CheckedDataset, classes: tuple[str, ...]) -> dict[str, Any]:
    """What must be equal for one training to go on from another's snapshot, by the names that people know.

    The batch size is not among it: it may be halved after an attempt that ran out of memory.
    """
    training = document.spec.training
    sides = "\n\n".join("\n".join(each.name for each in side) for side in (data.training, data.validation))
    return {
        "architecture": document.spec.model.architecture,
        "classes": list(classes),
        "dataset": data.digest,
        "split": hashlib.sha256(sides.encode()).hexdigest(),
        "imageSize": training.image_size,
        "seed": training.seed,
        "optimizer": training.optimizer.name.value,
        "epochs": training.epochs,
    }


def why_not(snapshot: Snapshot, wanted: Mapping[str, Any], form: str) -> str | None:
    """Why a training with the fingerprint `wanted` cannot go on from a snapshot; None where it can.

    Args:
        snapshot: what there is.
        wanted: the fingerprint.
        form: the format that the snapshot's state must have.
    """
    state = snapshot.state
    if state.get("format") != form:
        return f"the checkpoint of {snapshot.position} is not a {form}, so the training began anew"
    found = state["fingerprint"]
    other = [
        f"{name} {_short(found.get(name))}, now {_short(value)}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if other:
        return (
            f"the checkpoint of {snapshot.position} is of another training ({'; '.join(other)}), "
            "so the training began anew"
        )
    wanted_files = (BEST, LAST) if state["history"]["best"] else (LAST,)
    if state["history"].get("quantised"):
        wanted_files = (*wanted_files, QUANTISED)
    missing = [name for name in wanted_files if snapshot.position.epochs and name not in snapshot.files]
    if missing:
        return f"the checkpoint of {snapshot.position} came without {' and '.join(missing)}, so the training began anew"
    return None


def take_up(context: TaskContext, wanted: Mapping[str, Any], form: str) -> tuple[Snapshot | None, tuple[str, ...]]:
    """The snapshot to go on from, and what is to be said where one was found but is passed over."""
    snapshot = context.checkpoints.restore()
    if snapshot is None:
        return None, ()
    refusal = why_not(snapshot, wanted, form)
    if refusal:
        _log.warning("%s", refusal)
        return None, (refusal,)
    _log.info("going on from %s", snapshot.position)
    return snapshot, ()


def keeping(
    context: TaskContext, identity: Mapping[str, Any], form: str, history: History, start: Start | None
) -> Callable[[Position, dict[str, Any]], None]:
    """What keeps a training's numbers at a position as a snapshot that `take_up` finds.

    The spec, with every default filled in, is there for people: what must be equal is in the fingerprint.
    """

    def keep(position: Position, numbers: dict[str, Any]) -> None:
        state = {
            "format": form,
            "fingerprint": identity,
            "spec": context.document.spec.to_json_object(),
            "training": numbers,
            "history": history.state(),
            "start": start.state() if start else None,
        }
        context.checkpoints.save(Snapshot(position, state, history.files()))

    return keep


def start_of(snapshot: Snapshot) -> Start | None:
    """What the training of a snapshot began with."""
    state = snapshot.state.get("start")
    return Start.of(state) if state else None


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
