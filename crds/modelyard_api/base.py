"""What every model of the API has in common, and the markers that pydantic has no word for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A frozen object of the API: camelCase outside, snake_case in Python, and no field that is not declared."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_enum_values=False,
        allow_inf_nan=False,
    )

    def to_json_object(self) -> dict[str, object]:
        """This object as the API writes it: camelCase, JSON types, fields that are None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Rule:
    """A CEL validation rule, as `Annotated[..., Rule(...)]` on a field or in `rules` of a model's `CRD` marker.

    `message` is the exact sentence that `kubectl apply` shows: the field, and what would be right.
    """

    expression: str
    message: str
    path: str | None = None


@dataclass(frozen=True)
class ListMap:
    """Marks a list whose items are told apart by `key`, as `x-kubernetes-list-type: map`."""

    key: str


@dataclass(frozen=True)
class Atomic:
    """Marks a list or map that is replaced whole, as `x-kubernetes-list-type: atomic`."""


_DURATION = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")

Duration = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", min_length=2, max_length=21),
]
"""A length of time as hours, minutes and seconds, such as `1h30m`."""


def seconds(duration: str) -> int:
    """The length of a `Duration` in seconds.

    Raises:
        ValueError: it is not written as, for example, `1h30m`.
    """
    match = _DURATION.fullmatch(duration)
    if match is None or not duration:
        raise ValueError(f"{duration!r} is not a duration; write it as 90s, 30m or 1h30m")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    return part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"]
