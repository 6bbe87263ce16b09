"""What stands in narrow columns."""

from __future__ import annotations

import pytest
from modelyard_operator.domain import display


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (45.4, "45s"),
        (60, "1m"),
        (270, "4m30s"),
        (2460, "41m"),
        (3600, "1h"),
        (10_920, "3h2m"),
        (183_600, "2d3h"),
        (-5, "0s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert display.duration(seconds) == text


def test_metrics() -> None:
    assert display.metric("mAP50", display.decimal(0.6123456789)) == "mAP50 0.612"
    assert display.metric("verdict", "good") == "verdict good"


def test_a_metric_that_no_column_has_room_for_keeps_its_exponent() -> None:
    assert display.metric("loss", display.decimal(1e308)) == "loss 1e+308"
    assert len(display.metric("a" * 256, "0.5")) == 256
