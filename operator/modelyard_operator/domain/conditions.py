"""The conditions of a run, made anew from where it is; only a change of status moves a transition time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from modelyard_api.outcome import Reason
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import Condition, ConditionStatus, ConditionType, Phase, TrainingRunStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
_REASON, _LONGEST_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"), 128
_AT_WORK = (Phase.RUNNING, Phase.EXPORTING, Phase.UPLOADING)
_STARTING = (Phase.PENDING, Phase.STARTING)
_DATASET_REASONS = frozenset(
    (
        Reason.DATASET_NOT_FOUND,
        Reason.DATASET_EMPTY,
        Reason.DATASET_CHECKSUM_MISMATCH,
        Reason.DATASET_INVALID,
        Reason.LABEL_INVALID,
        Reason.IMAGE_UNREADABLE,
        Reason.SPLIT_EMPTY,
    )
)


@dataclass(frozen=True, slots=True)
class _Finding:
    status: ConditionStatus
    reason: str
    message: str = ""


def conditions_of(
    status: TrainingRunStatus, spec: TrainingRunSpec | None, generation: int, now: datetime
) -> list[Condition]:
    """Every condition for a status whose other fields are set already, in the order of their names."""
    before = {condition.type: condition for condition in status.conditions}
    findings = {
        ConditionType.APPROVED: _approved(spec),
        ConditionType.ARTIFACTS_UPLOADED: _artifacts_uploaded(status),
        ConditionType.COMPLETE: _outcome(status, Phase.COMPLETE, Phase.FAILED),
        ConditionType.DATASET_READY: _dataset_ready(status),
        ConditionType.FAILED: _outcome(status, Phase.FAILED, Phase.COMPLETE),
        ConditionType.FINISHED: _finished(status),
        ConditionType.RECONCILING: _reconciling(status),
        ConditionType.RUNNING: _running(status),
        ConditionType.STALLED: _stalled(status),
        ConditionType.SUSPENDED: _suspended(status),
    }
    return [
        _condition(kind, _worded(finding, status.phase), before.get(kind), generation, now)
        for kind, finding in findings.items()
    ]


def _worded(finding: _Finding, phase: Phase) -> _Finding:
    """`finding` with a reason that a condition may have: a scheduler or a kubelet is free to use any words."""
    if len(finding.reason) <= _LONGEST_REASON and _REASON.fullmatch(finding.reason):
        return finding
    return _Finding(
        finding.status, phase, f"{finding.reason}: {finding.message}" if finding.message else finding.reason
    )


def _condition(
    kind: ConditionType, finding: _Finding, before: Condition | None, generation: int, now: datetime
) -> Condition:
    unmoved = before is not None and before.status == finding.status
    return Condition(
        type=kind,
        status=finding.status,
        reason=finding.reason,
        message=finding.message[:4096],
        last_transition_time=before.last_transition_time if before is not None and unmoved else now,
        observed_generation=generation,
    )


def _approved(spec: TrainingRunSpec | None) -> _Finding:
    if spec is None:
        return _Finding(UNKNOWN, "SpecInvalid")
    if not spec.approval.required:
        return _Finding(TRUE, "NotRequired", "the run asks for no approval")
    if spec.approval.approved:
        return _Finding(TRUE, "Approved")
    return _Finding(FALSE, "WaitingForApproval", "set spec.approval.approved to true to let the run start")


def _artifacts_uploaded(status: TrainingRunStatus) -> _Finding:
    if status.phase is Phase.COMPLETE:
        if status.artifacts_uri is None:
            return _Finding(UNKNOWN, "NotReported", "the trainer ended well and did not say where its artifacts are")
        return _Finding(TRUE, "Uploaded", f"artifacts and SHA256SUMS are in {status.artifacts_uri}")
    if status.phase is Phase.FAILED:
        return _Finding(FALSE, _reason(status), "the run failed; no artifacts were published")
    return _Finding(UNKNOWN, "NotYet")


def _outcome(status: TrainingRunStatus, mine: Phase, other: Phase) -> _Finding:
    if status.phase is mine:
        return _Finding(TRUE, _reason(status), status.message or "")
    if status.phase is other:
        return _Finding(FALSE, _reason(status))
    return _Finding(UNKNOWN, "InProgress")


def _finished(status: TrainingRunStatus) -> _Finding:
    if status.phase in (Phase.COMPLETE, Phase.FAILED):
        return _Finding(TRUE, _reason(status), status.message or "")
    return _Finding(UNKNOWN, "InProgress")


def _dataset_ready(status: TrainingRunStatus) -> _Finding:
    if status.dataset is not None:
        found = status.dataset
        message = f"{found.training_images} pictures to train on and {found.validation_images} to validate on"
        return _Finding(TRUE, "Checked", message)
    if status.phase is Phase.FAILED and status.reason in _DATASET_REASONS:
        return _Finding(FALSE, _reason(status), status.message or "")
    return _Finding(UNKNOWN, "NotChecked")


def _running(status: TrainingRunStatus) -> _Finding:
    if status.phase in _AT_WORK:
        node = status.attempts[-1].node if status.attempts else None
        return _Finding(TRUE, "Running", f"attempt {status.current_attempt} runs on node {node}" if node else "")
    return _Finding(FALSE, _reason(status), "" if status.phase is Phase.COMPLETE else status.message or "")


def _reconciling(status: TrainingRunStatus) -> _Finding:
    """True until the pod has started: what kstatus, Helm and Flux wait for."""
    if status.phase in _STARTING:
        return _Finding(TRUE, _reason(status), status.message or "")
    return _Finding(FALSE, status.phase)


def _stalled(status: TrainingRunStatus) -> _Finding:
    if status.phase is Phase.FAILED:
        return _Finding(TRUE, _reason(status), status.message or "")
    return _Finding(FALSE, status.phase)


def _suspended(status: TrainingRunStatus) -> _Finding:
    if status.phase is Phase.SUSPENDED:
        return _Finding(TRUE, "Suspended", status.message or "")
    return _Finding(FALSE, "NotSuspended")


def _reason(status: TrainingRunStatus) -> str:
    return status.reason or status.phase
