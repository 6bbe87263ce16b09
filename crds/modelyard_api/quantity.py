"""Kubernetes quantities, as far as a TrainingRun uses them."""

from __future__ import annotations

from decimal import Decimal

_FACTORS = {
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTP", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTP", start=1)},
}


def quantity(text: str) -> Decimal:
    """The number that a quantity such as `500m` or `16Gi` stands for.

    Raises:
        ValueError: it is not written so.
    """
    digits = text.rstrip("".join(_FACTORS))
    suffix = text[len(digits) :]
    if not digits or (suffix and suffix not in _FACTORS):
        raise ValueError(f"{text!r} is not a quantity; write it as 4, 500m or 16Gi")
    try:
        return Decimal(digits) * _FACTORS.get(suffix, Decimal(1))
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is not a quantity; write it as 4, 500m or 16Gi") from error
