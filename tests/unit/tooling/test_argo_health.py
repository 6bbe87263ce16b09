"""What Argo CD says of a TrainingRun: the script of `examples/argo-cd`, run by Lua 5.1 as Argo CD runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime
from modelyard_api import GROUP
from modelyard_api.outcome import Reason
from modelyard_api.report import Stage
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import ConditionStatus, ConditionType, Phase, TrainingRunStatus
from modelyard_api.training_run import KIND
from modelyard_operator.domain.conditions import conditions_of

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "examples" / "argo-cd" / "health.lua"
PAGE = ROOT / "docs" / "how-to" / "argo-cd.md"
KEY = f"resource.customizations.health.{GROUP}_{KIND}"
REASON_AND_HEALTH = {
    Phase.PENDING: ("Queued", "Progressing"),
    Phase.STARTING: ("JobCreated", "Progressing"),
    Phase.RUNNING: (Stage.TRAINING, "Progressing"),
    Phase.EXPORTING: (Stage.EXPORTING, "Progressing"),
    Phase.UPLOADING: (Stage.PUBLISHING, "Progressing"),
    Phase.COMPLETE: (Reason.COMPLETED, "Healthy"),
    Phase.FAILED: (Reason.DATASET_EMPTY, "Degraded"),
    Phase.SUSPENDED: (Reason.SUSPENDED, "Suspended"),
}
DECIDING = {ConditionType.COMPLETE: "Healthy", ConditionType.FAILED: "Degraded", ConditionType.SUSPENDED: "Suspended"}
Json = Mapping[str, Any]


def test_every_phase_has_a_health() -> None:
    assert set(REASON_AND_HEALTH) == set(Phase)


@pytest.mark.parametrize("phase", Phase)
def test_what_the_operator_writes_in_each_phase_has_its_health(phase: Phase) -> None:
    reason, health = REASON_AND_HEALTH[phase]
    assert _judged(_status(phase, reason, "a sentence")) == (health, f"{reason}: a sentence")
    assert _judged(_status(phase, reason, None)) == (health, reason)


def test_a_run_that_waits_for_a_person_is_suspended_and_not_progressing() -> None:
    status = _status(Phase.PENDING, "WaitingForApproval", "a sentence")
    assert _judged(status) == ("Suspended", "WaitingForApproval: a sentence")


@pytest.mark.parametrize("kind", ConditionType)
@pytest.mark.parametrize("holds", ConditionStatus)
def test_only_conditions_that_hold_and_decide_make_a_run_other_than_progressing(
    kind: ConditionType, holds: ConditionStatus
) -> None:
    status = {"phase": "Running", "conditions": [{"type": str(kind), "status": str(holds), "reason": "SomeReason"}]}
    decides = holds is ConditionStatus.TRUE and kind in DECIDING
    assert _judged(status) == ((DECIDING[kind], "SomeReason") if decides else ("Progressing", "Running"))


@pytest.mark.parametrize("status", [None, {}, {"conditions": []}])
def test_a_run_that_the_operator_has_not_seen_is_progressing(status: Json | None) -> None:
    assert _judged(status) == ("Progressing", "Pending")


def test_a_phase_of_a_later_version_is_progressing() -> None:
    assert _judged({"phase": "Distilling"}) == ("Progressing", "Distilling")


def test_the_page_shows_the_very_script_under_its_key() -> None:
    [shown] = [document for document in _shown_on_the_page() if document["kind"] == "ConfigMap"]
    assert shown["metadata"] == {"name": "argocd-cm", "namespace": "argocd"}
    assert shown["data"] == {KEY: SCRIPT.read_text()}


def test_the_page_installs_the_chart_with_values_that_it_has() -> None:
    chart, runs = (document for document in _shown_on_the_page() if document["kind"] == "Application")
    folder = ROOT / chart["spec"]["source"]["path"]
    assert (folder / "Chart.yaml").is_file()
    given = chart["spec"]["source"]["helm"]["valuesObject"]
    assert _paths(given) <= _paths(yaml.safe_load((folder / "values.yaml").read_text()))
    assert "prune" not in chart["spec"]["syncPolicy"]["automated"]
    assert "helm" not in runs["spec"]["source"]


def _status(phase: Phase, reason: str, message: str | None) -> Json:
    """What the operator would write of a run in `phase`."""
    status = TrainingRunStatus(phase=phase, reason=reason, message=message)
    conditions = conditions_of(status, _spec(), generation=1, now=datetime(2026, 11, 21, tzinfo=UTC))
    written: Json = status.model_copy(update={"conditions": conditions}).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    return written


def _spec() -> TrainingRunSpec:
    spec = yaml.safe_load((ROOT / "examples" / "digits.yaml").read_text())["spec"]
    return TrainingRunSpec.model_validate(spec)


def _judged(status: Json | None) -> tuple[str, str]:
    """Health and message that the script returns for a run with `status`, with the basic library alone.

    Argo CD opens `package`, `table` and a part of `os` as well.
    """
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    for library in ("coroutine", "debug", "io", "math", "os", "package", "python", "string", "table"):
        lua.execute(f"{library} = nil")
    run = {"apiVersion": f"{GROUP}/v1alpha1", "kind": KIND, "metadata": {"name": "digits", "generation": 1}}
    lua.globals().obj = lua.table_from(run if status is None else {**run, "status": status}, recursive=True)
    returned = dict(lua.execute(SCRIPT.read_text()))
    assert set(returned) == {"status", "message"}
    return returned["status"], returned["message"]


def _shown_on_the_page() -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block) if "kind" in document]


def _paths(values: Json, path: str = "") -> set[str]:
    return {f"{path}.{name}" for name in values} | {
        deeper
        for name, value in values.items()
        if isinstance(value, dict)
        for deeper in _paths(value, f"{path}.{name}")
    }
