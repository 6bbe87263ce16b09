"""What a trainer reads of what an operator wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from modelyard_api.run_document import read_run_document
from pydantic import ValidationError

from tests.unit.trainer.datasets import run_document


def written(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = run_document().to_json_object()
    return document | changes


def test_what_an_operator_of_this_version_writes_is_all_known() -> None:
    document, unknown = read_run_document(json.dumps(written()))
    assert (document, unknown) == (run_document(), ())


def test_what_a_later_one_says_more_is_left_out_and_named() -> None:
    later = written(priority=3)
    later["spec"]["recovery"]["heroics"] = {"action": "none"}
    document, unknown = read_run_document(json.dumps(later))
    assert document == run_document()
    assert set(unknown) == {"priority", "spec.recovery.heroics"}


def test_what_is_wrong_stays_wrong() -> None:
    with pytest.raises(ValidationError, match="attempt"):
        read_run_document(json.dumps(written(attempt=0)))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../another"},
        {"name": "a/b"},
        {"namespace": ".."},
        {"uid": "../latest"},
        {"uid": "."},
        {"batchSize": 10**30},
        {"intake": {"url": "file:///etc/passwd"}},
    ],
    ids=str,
)
def test_what_leads_elsewhere_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read_run_document(json.dumps(written(**change)))
