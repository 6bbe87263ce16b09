"""A TrainingRun as it is kept between two looks: a few kilobytes of JSON instead of ten times that in objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from modelyard_api.spec import TrainingRunSpec
from modelyard_api.status import Phase, TrainingRunStatus
from pydantic import ValidationError
from pydantic_core import to_json

from modelyard_operator.domain.observed import ObservedRun, RunKey
from modelyard_operator.kube.parse import ParseError

_OVER = (Phase.COMPLETE, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What was last read of a run; `observed` makes sense of it."""

    key: RunKey
    uid: str
    generation: int
    resource_version: str
    created_at: str
    deleting: bool
    phase: str
    spec: bytes
    status: bytes

    @property
    def is_over(self) -> bool:
        """Whether it is Complete or Failed."""
        return self.phase in _OVER

    @property
    def is_new(self) -> bool:
        """Whether nothing has been said of it yet."""
        return self.status == b"{}"

    def observed(self) -> ObservedRun:
        """The run as `domain` sees it.

        Raises:
            ParseError: the status is not readable: something else than an operator wrote it.
        """
        try:
            status = TrainingRunStatus.model_validate_json(self.status, extra="ignore")
        except ValidationError as error:
            raise ParseError(f"the status of run {self.key} is not readable: {_first(error)}") from error
        spec, spec_error = self._spec()
        return ObservedRun(
            key=self.key,
            uid=self.uid,
            generation=self.generation,
            resource_version=self.resource_version,
            created_at=datetime.fromisoformat(self.created_at),
            deleting=self.deleting,
            spec=spec,
            spec_error=spec_error,
            status=status,
        )

    def with_status(self, status: Mapping[str, Any], resource_version: str) -> StoredRun:
        """The run after its status was written."""
        return replace(
            self, resource_version=resource_version, status=to_json(status), phase=str(status.get("phase", ""))
        )

    def _spec(self) -> tuple[TrainingRunSpec | None, str]:
        try:
            return TrainingRunSpec.model_validate_json(self.spec, extra="ignore"), ""
        except ValidationError as error:
            return None, f"spec.{_first(error)}"


def store_run(raw: Mapping[str, Any]) -> StoredRun:
    """What is kept of a TrainingRun of the API."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    return StoredRun(
        key=RunKey(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        created_at=metadata["creationTimestamp"],
        deleting="deletionTimestamp" in metadata,
        phase=status.get("phase", Phase.PENDING.value),
        spec=to_json(raw.get("spec") or {}),
        status=to_json(status),
    )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"
