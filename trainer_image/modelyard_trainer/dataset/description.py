"""data.yaml: the classes of a YOLO data set and where its splits lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

FILE_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Description:
    """What data.yaml says. `splits` maps train, val and test to the places named there, as written."""

    file: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    path: str | None


def read_description(folder: Path) -> Description:
    """Read the data.yaml of the data set in `folder`.

    Raises:
        RunError: DatasetInvalid; there is none, or it does not say which classes there are.
    """
    file = next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
    if file is None:
        raise RunError(Reason.DATASET_INVALID, f"the data set has no {FILE_NAMES[0]}, which names its classes")
    try:
        content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=_LiteralLoader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _invalid(file, f"it is not YAML ({' '.join(str(error).split())})") from error
    except RecursionError as error:
        raise _invalid(file, "it is nested too deeply") from error
    if not isinstance(content, dict):
        raise _invalid(file, "it must be a mapping with the key `names`")
    path = content.get("path")
    return Description(
        file=file.name,
        classes=_classes(content, file),
        splits={key: _places(content.get(key), key, file) for key in SPLITS if content.get(key)},
        path=path if isinstance(path, str) else None,
    )


class _LiteralLoader(yaml.SafeLoader):
    """Without aliases (`*name`): nine lines of them, each of nine of the line before, would be more than the memory."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node that is written out."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="an alias (*name) stands where what it means should be written out",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)


def _classes(content: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, int) and count > 0:
        return tuple(f"class_{number}" for number in range(count))
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise _invalid(file, "`names` must list the classes, such as [cat, dog] or {0: cat, 1: dog}")
    if sorted(names, key=str) != sorted(range(len(names)), key=str):
        raise _invalid(file, f"the keys of `names` must be 0 to {len(names) - 1}, each once")
    if count is not None and count != len(names):
        raise _invalid(file, f"`nc` is {count} but `names` lists {len(names)} classes; they must agree")
    return tuple(str(names[number]) for number in range(len(names)))


def _places(value: object, key: str, file: Path) -> tuple[str, ...]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) for place in places):
        raise _invalid(file, f"`{key}` must be a folder, or a list of folders")
    return tuple(places)


def _invalid(file: Path, message: str) -> RunError:
    return RunError(Reason.DATASET_INVALID, f"{file.name}: {message}")
