"""Times and numbers as a person reads them in a narrow column."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LARGE = 1e6
_LONGEST = 256
"""Characters that status has room for."""


def duration(seconds: float) -> str:
    """A length of time in its two largest useful units, such as 45s, 4m30s, 41m, 3h2m or 2d3h."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _pair(whole, _MINUTE, "m", 1, "s")
    if whole < _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "m")
    return _pair(whole, _DAY, "d", _HOUR, "h")


def _pair(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_unit}" + (f"{rest}{small_unit}" if rest else "")


def decimal(value: float) -> str:
    """A metric's value as status keeps it: at most six significant digits."""
    return f"{value:.6g}"


def metric(name: str, value: str) -> str:
    """A metric as the METRIC column shows it, such as `mAP50 0.612`."""
    try:
        number = float(value)
    except ValueError:
        return f"{name} {value}"[:_LONGEST]
    # What is too large for a column is shown as it is kept, with an exponent.
    return f"{name} {value if abs(number) >= _LARGE else f'{number:.3f}'}"[:_LONGEST]
