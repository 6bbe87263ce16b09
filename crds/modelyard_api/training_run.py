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


def _fixed_once_started() -> tuple[Rule, ...]:
    """A rule for each field of the spec that a run keeps from its start on."""
    rules = []
    for field, info in TrainingRunSpec.model_fields.items():
        if field in MAY_CHANGE:
            continue
        new, old = f"self.spec.{info.alias}", f"oldSelf.spec.{info.alias}"
        # A field without a default may be absent, and what is absent cannot be compared.
        same = (
            f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"
            if info.default is None
            else f"{new} == {old}"
        )
        rules.append(
            Rule(
                f"!has(oldSelf.status) || !has(oldSelf.status.startedAt) || ({same})",
                "is fixed once the run has started; create a new TrainingRun with another name",
                path=f".spec.{info.alias}",
            )
        )
    return tuple(rules)


class TrainingRun(ApiModel):
    """One training of one computer-vision model, from its data set to verified files in S3."""

    rules: ClassVar = (
        Rule(
            f"self.metadata.name.matches('{_RUN_NAME}')",
            "must be at most 63 lower-case letters, digits and hyphens, since Jobs and folders are named after it",
            path=".metadata.name",
            holds=lambda run: re.fullmatch(_RUN_NAME, run.metadata.name) is not None,
        ),
        *_fixed_once_started(),
    )

    api_version: Literal["modelyard.dev/v1alpha1"] = "modelyard.dev/v1alpha1"
    kind: Literal["TrainingRun"] = "TrainingRun"
    metadata: ObjectMeta
    spec: Annotated[TrainingRunSpec, Field(description="What is trained, on what, and where the results go.")]
    status: Annotated[TrainingRunStatus | None, Field(description="Where the run is. Only the operator writes it.")] = (
        None
    )
