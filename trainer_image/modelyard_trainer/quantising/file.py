"""The weights of a network that was trained in 8 bits, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from modelyard_trainer.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from modelyard_trainer.quantising.scheme import Scheme

QUANTISED = "best-qat.pt"
_FORM = "modelyard/quantised/v1"


@dataclass(frozen=True, eq=False)
class QuantisedWeights:
    """All that makes of the published network the one that computes in 8 bits.

    Attributes:
        scheme: which of its layers do.
        weights: of what is deployed, 32-bit floats, with the ranges of its activations.
        epoch: that they are of.
        metrics: of that epoch.
    """

    scheme: Scheme
    weights: Mapping[str, Tensor]
    epoch: int
    metrics: Mapping[str, float]

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        values = {
            "format": _FORM,
            "scheme": self.scheme.state(),
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
        }
        write_tensors(path, values, self.weights)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: it is a file of another kind, or holds more than data.
        """
        from modelyard_trainer.quantising.scheme import Scheme  # noqa: PLC0415 - imports torch

        content = read_tensors(path)
        if content.get("format") != _FORM:
            raise ValueError(f"{path.name} is not a {_FORM} file")
        return cls(Scheme.of(content["scheme"]), content["state_dict"], content["epoch"], content["metrics"])
