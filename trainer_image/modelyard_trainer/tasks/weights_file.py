"""Weights as files that hold tensors and plain values only, so that `torch.load(weights_only=True)` reads them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from modelyard_trainer.tensors import read_tensors, write_tensors


@dataclass(frozen=True)
class WeightsFile:
    """A model at one epoch: all that is needed to build it again. A task says which fields that are.

    Among them are `classes`, which stand in the file as `names` by number, `metrics`, and `weights`, which stand there
    as `state_dict`.
    """

    form: ClassVar[str]
    """Name of the file's format."""

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        said: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        classes, weights = said.pop("classes"), said.pop("weights")
        said |= {"names": dict(enumerate(classes)), "metrics": dict(said["metrics"])}
        write_tensors(path, {"format": self.form, **said}, weights)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: it is a file of another kind, or holds more than data.
        """
        content = read_tensors(path)
        if content.get("format") != cls.form:
            raise ValueError(f"{path.name} is not a {cls.form} checkpoint")
        names = content["names"]
        found = content | {
            "classes": tuple(names[number] for number in range(len(names))),
            "weights": content["state_dict"],
        }
        return cls(**{each.name: found[each.name] for each in fields(cls)})
