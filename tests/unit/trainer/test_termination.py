"""The termination message never outgrows what the kubelet keeps."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard_api.outcome import MAX_TERMINATION_MESSAGE, Reason, TerminationMessage
from modelyard_api.report import ReportedBest
from modelyard_api.status import Artifact, ExportStatus
from modelyard_trainer.destination import Published
from modelyard_trainer.progress import Snapshot
from modelyard_trainer.termination import decimal, fit, termination_message


@given(
    count=st.integers(0, 64),
    length=st.integers(1, 200),
    message=st.text(max_size=3000),
    metrics=st.dictionaries(st.text(min_size=1, max_size=200), st.floats(0, 1e9), max_size=40),
)
def test_any_message_fits_and_can_be_read(count: int, length: int, message: str, metrics: dict[str, float]) -> None:
    artifacts = tuple(
        Artifact(name=f"{n}-{'n' * length}", uri=f"s3://models/{'p' * length}/{n}", sha256="a" * 64, bytes=n)
        for n in range(count)
    )
    snapshot = Snapshot(attempt=1, batch_size=8, epochs=10, epoch=3, metrics=metrics)
    published = Published(artifacts, "s3://models/x", "b" * 64)
    content = fit(termination_message(snapshot, Reason.COMPLETED, message, published, "best.onnx"))
    assert len(content) <= MAX_TERMINATION_MESSAGE
    kept = TerminationMessage.model_validate_json(content)
    assert kept.artifacts_uri == "s3://models/x"
    assert kept.checksums_sha256 == "b" * 64
    assert [a.name for a in kept.artifacts] == [a.name for a in artifacts[: len(kept.artifacts)]]


def test_what_fits_is_kept_whole() -> None:
    best = ReportedBest(epoch=2, metric="mAP50-95", value=0.412346)
    exports = (ExportStatus(name="best-int8.onnx", metric="mAP50 0.6", drop="0.01"),)
    snapshot = Snapshot(
        attempt=2, batch_size=8, epochs=10, epoch=3, best=best, metrics={"mAP50": 0.61234567}, exports=exports
    )
    content = json.loads(fit(termination_message(snapshot, Reason.DIVERGED, "the loss is nan", None, None)))
    assert content == {
        "attempt": 2,
        "reason": "Diverged",
        "message": "the loss is nan",
        "epoch": 3,
        "epochs": 10,
        "best": {"epoch": 2, "metric": "mAP50-95", "value": "0.41235"},
        "metrics": [{"name": "mAP50", "value": "0.61235"}],
        "exports": [{"name": "best-int8.onnx", "metric": "mAP50 0.6", "drop": "0.01"}],
        "artifacts": [],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.5, "0.5"), (0.00001234, "0.00001234"), (123456.7, "123456.7"), (0.0, "0"), (1e-7, "0.0000001")),
        (1e14, "100000000000000"),
        (-1.5e308, "-1.5e+308"),
    ],
)
def test_decimals_have_an_exponent_only_where_status_has_no_room_for_the_digits(value: float, text: str) -> None:
    assert math.isclose(float(decimal(value)), value, rel_tol=1e-4)
    assert decimal(value) == text
