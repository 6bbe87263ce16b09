"""Fields of a manifest that the command line sets."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from modelyard_api.loading import InvalidRunError
from modelyard_api.problems import Problem
from modelyard_api.reading import NotYamlError, documents
from modelyard_api.spec import Schedule

_EPOCHS, _WARMUP = "training.epochs", "training.schedule.warmupEpochs"


def with_settings(manifest: dict[str, Any], settings: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A manifest with settings such as `training.epochs=1` or `export.0.opset=14`, each below `spec`.

    A warm-up that is too long for epochs that were set here is made to fit, unless it is set here too.

    Returns:
        The manifest, and what is to be said of it.

    Raises:
        InvalidRunError: a setting is not FIELD=VALUE, or its field cannot be found.
    """
    changed = deepcopy(manifest)
    fields = [_apply(changed, setting) for setting in settings]
    if _EPOCHS in fields and _WARMUP not in fields:
        return changed, _shorten_warmup(changed)
    return changed, ()


def _apply(manifest: dict[str, Any], setting: str) -> str:
    field, equals, text = setting.partition("=")
    field = field.strip().removeprefix("spec.")
    if not equals or not field:
        raise InvalidRunError([Problem("--set", f"must be FIELD=VALUE, such as training.epochs=1, not {setting!r}")])
    try:
        values = documents(text)
    except NotYamlError as error:
        raise InvalidRunError([Problem(f"--set {field}", f"its value is not YAML: {error}")]) from error
    *parents, last = field.split(".")
    place: Any = manifest.setdefault("spec", {})
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else _item(place, part, field)
    if isinstance(place, list):
        _item(place, last, field)
        place[int(last)] = values[0] if values else None
    elif isinstance(place, dict):
        place[last] = values[0] if values else None
    else:
        raise InvalidRunError([Problem(f"--set {field}", f"has no field {last}, since it is set to {place!r}")])
    return field


def _item(place: Any, part: str, field: str) -> Any:
    if not isinstance(place, list) or not part.isdigit() or int(part) >= len(place):
        count = len(place) if isinstance(place, list) else 0
        raise InvalidRunError([Problem(f"--set {field}", f"has no item {part}; there are {count}, counted from 0")])
    return place[int(part)]


def _shorten_warmup(manifest: dict[str, Any]) -> tuple[str, ...]:
    training = manifest["spec"]["training"]
    schedule = training.setdefault("schedule", {})
    epochs, wanted = training["epochs"], schedule.get("warmupEpochs", Schedule().warmup_epochs)
    if not isinstance(epochs, int) or not isinstance(wanted, int | float) or wanted == 0 or wanted <= epochs - 1:
        return ()
    schedule["warmupEpochs"] = max(0, epochs - 1)
    return (
        f"spec.{_WARMUP}: {max(0, epochs - 1)} instead of {wanted:g}, since there are no more than {epochs} epochs",
    )
