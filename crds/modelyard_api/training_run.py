"""A TrainingRun as the API server keeps it, and what may change in it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from modelyard_api.base import ApiModel, Rule
from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import TrainingRunStatus

KIND = "TrainingRun"
PLURAL = "trainingruns"
SINGULAR = "trainingrun"

MAY_CHANGE = frozenset({"recovery", "approval", "suspend"})
"""Fields of the spec that may change after the run has started."""

_RUN_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


class ObjectMeta(ApiModel):
    """What Modelyard reads of an object's metadata; whatever else is there is kept."""

    model_config = ConfigDict(extra="allow")

    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


_WRITES_STATUS = (
    "!has(self.status) || self.status.phase != oldSelf.status.phase || (has(self.status.lastReportTime) && "
    "(!has(oldSelf.status.lastReportTime) || self.status.lastReportTime != oldSelf.status.lastReportTime))"
)
"""True of most writes of a status, and of no write of a spec, in which the API server keeps the status as it was.

It spares them the comparisons, which are half of what all rules of a TrainingRun cost the API server: it compares two
objects in a time that grows with the square of their fields. For the same reason one rule compares all of the spec.
"""


def _fixed_once_started() -> Rule:
    """What a run keeps of its spec from its start on."""
    same = {
        name: _same(name, optional=info.default is None)
        for field, info in TrainingRunSpec.model_fields.items()
        if field not in MAY_CHANGE and (name := info.alias)
    }
    *others, last = same
    subject = "".join(f"!({same[name]}) ? '{name}' : " for name in others) + f"'{last}'"
    return Rule(
        f"!has(oldSelf.status) || !has(oldSelf.status.startedAt) || {_WRITES_STATUS} || ({' && '.join(same.values())})",
        "is fixed once the run has started; create a new TrainingRun with another name",
        path=".spec",
        subject=f"({subject})",
    )


def _same(name: str, *, optional: bool) -> str:
    """Whether the field `name` of the spec is as it was; absence cannot be compared."""
    new, old = f"self.spec.{name}", f"oldSelf.spec.{name}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})" if optional else f"{new} == {old}"


class TrainingRun(ApiModel):
    """One training of one computer-vision model, from its data set to verified files in S3."""

    rules: ClassVar = (
        Rule(
            f"self.metadata.name.matches('{_RUN_NAME}')",
            "must be at most 63 lower-case letters, digits and hyphens, since Jobs and folders are named after it",
            path=".metadata.name",
            holds=lambda run: re.fullmatch(_RUN_NAME, run.metadata.name) is not None,
        ),
        _fixed_once_started(),
    )

    api_version: Literal["modelyard.dev/v1alpha1"] = "modelyard.dev/v1alpha1"
    kind: Literal["TrainingRun"] = "TrainingRun"
    metadata: ObjectMeta
    spec: Annotated[TrainingRunSpec, Field(description="What is trained, on what, and where the results go.")]
    status: Annotated[TrainingRunStatus | None, Field(description="Where the run is. Only the operator writes it.")] = (
        None
    )
