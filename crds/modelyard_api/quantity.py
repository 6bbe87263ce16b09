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


def quantity(text: str) -> Decimal:
    """The number that a quantity such as `500m` or `16Gi` stands for, which Kubernetes rounds up and cuts off.

    Raises:
        ValueError: it is not written so.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write it as 4, 500m or 16Gi")
    number = Decimal(match["number"]) * _FACTORS[match["suffix"]]
    return min(number.quantize(_SMALLEST, ROUND_UP, _EXACT), _LARGEST)
