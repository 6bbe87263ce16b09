"""Kubernetes quantities, as far as a TrainingRun uses them."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal

_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTP", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTP", start=1)},
}
_QUANTITY = re.compile(rf"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<suffix>{'|'.join(_FACTORS)})")
_SMALLEST, _LARGEST = Decimal("1e-9"), Decimal(2**63 - 1)
_EXACT = Context(prec=60)
_DIGITS_KEPT = 18


def quantity(text: str) -> Decimal:
    """The number that a quantity such as `500m` or `16Gi` stands for.

    Kubernetes rounds small ones up, and takes those above 64 bits for the largest that it has, unless they are written
    in few digits and powers of ten (`ParseQuantity` in k8s.io/apimachinery/pkg/api/resource).

    Raises:
        ValueError: it is not written so.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write it as 4, 500m or 16Gi")
    number = Decimal(match["number"]) * _FACTORS[match["suffix"]]
    rounded = number.quantize(_SMALLEST, ROUND_UP, _EXACT)
    kept = not match["suffix"].endswith("i") and len(match["number"].lstrip("0").replace(".", "")) <= _DIGITS_KEPT
    return rounded if kept else min(rounded, _LARGEST)
