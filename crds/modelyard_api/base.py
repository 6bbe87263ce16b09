"""What every model of the API has in common, and the markers that pydantic has no word for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"
BROKEN_RULES = "broken_rules"
"""Type of the pydantic error that carries, as `broken` in its context, the rules that a model breaks."""


@dataclass(frozen=True)
class Rule:
    """A validation rule that is written twice, side by side: in CEL for the API server, in Python for the laptop.

    Every model lists its own in `rules`. The tests run one table of manifests through both and compare.

    Attributes:
        expression: the CEL expression; `self` is the object of the model that lists the rule. What asks whether a field
            is there goes first: to the API server a field that is not costs nothing, one that is as much as its
            object has fields.
        message: what would be right, as people read it behind the path of the field.
        path: the field that is wrong, seen from that object, such as `.schedule.warmupEpochs`; empty for the object.
        holds: the same in Python; None where only a cluster can tell (what was there before, what a pod may do).
        subject: a CEL expression of what goes before the message, where that is only known once the rule is broken.
    """

    expression: str
    message: str
    path: str = ""
    holds: Callable[[Any], bool] | None = None
    subject: str = ""

    def validation(self) -> dict[str, str]:
        """This rule as an item of `x-kubernetes-validations`."""
        optional = {
            "fieldPath": self.path,
            "messageExpression": self.subject and f"{self.subject} + {cel_string(' ' + self.message)}",
        }
        return {
            "rule": self.expression,
            "message": self.message,
            **{name: value for name, value in optional.items() if value},
        }


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

    rules: ClassVar[tuple[Rule, ...]] = ()

    def to_json_object(self) -> dict[str, object]:
        """This object as the API writes it: camelCase, JSON types, fields that are None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @model_validator(mode="after")
    def _keep_the_rules(self) -> Self:
        broken = tuple(rule for rule in self.rules if rule.holds is not None and not rule.holds(self))
        if broken:
            sentences = "; ".join(rule.message for rule in broken)
            raise PydanticCustomError(BROKEN_RULES, "{sentences}", {"sentences": sentences, "broken": broken})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's JSON schema with its rules in it."""
        result = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            result[VALIDATIONS] = [rule.validation() for rule in cls.rules]
        return result


@dataclass(frozen=True)
class Matches:
    """Marks a string that each of `patterns` (RE2) is found in, and says in `message` what would be right.

    Used instead of a schema's `pattern`, whose violation shows a person nothing but the regular expression.
    """

    message: str
    patterns: tuple[str, ...]

    @cached_property
    def rule(self) -> Rule:
        """The same as a rule on the string itself."""
        found = " && ".join(f"self.matches({cel_string(pattern)})" for pattern in self.patterns)
        return Rule(found, self.message, holds=self._found_in)

    def _found_in(self, text: str) -> bool:
        # Python's $ also matches before a final line break, RE2's does not.
        return all(re.search(re.sub(r"\$$", r"\\Z", pattern), text) for pattern in self.patterns)

    def _checked(self, text: str | None) -> str | None:
        if text is not None and not self._found_in(text):
            raise PydanticCustomError(BROKEN_RULES, "{sentences}", {"sentences": self.message, "broken": (self.rule,)})
        return text

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The string's own schema, and then this check."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The string's JSON schema with this check as a CEL rule."""
        result = handler(schema)
        return {**result, VALIDATIONS: [*result.get(VALIDATIONS, []), self.rule.validation()]}


@dataclass(frozen=True)
class ListMap:
    """Marks a list whose items are told apart by `key`, as `x-kubernetes-list-type: map`."""

    key: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The list's JSON schema with the marker in it."""
        return {**handler(schema), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}


@dataclass(frozen=True)
class Atomic:
    """Marks a list or map that is replaced whole, as `x-kubernetes-list-type: atomic`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The list's or map's JSON schema with the marker in it."""
        result = handler(schema)
        kind = "list" if result["type"] == "array" else "map"
        return {**result, f"x-kubernetes-{kind}-type": "atomic"}


def cel_string(text: str) -> str:
    """`text` as a CEL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A whole number from zero on that every reader of JSON takes for the same: the API server refuses larger ones."""

EpochCount = Annotated[int, Field(ge=0, le=110_000)]
"""Epochs, of which a run has at most so many: 100,000 and 10,000 more in 8 bits."""

Moment = AwareDatetime
"""A time stamp that says its time zone: the API server refuses others."""

WEB_ADDRESS = "^https?://[!-.0-~]+(/[!-~]*)?$"
"""Of visible ASCII alone: what counts as a space differs between RE2 and Python."""

_DURATION = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")
_DURATION_PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
_DURATION_TEXT = StringConstraints(min_length=1, max_length=20)

Duration = Annotated[
    str, _DURATION_TEXT, Matches("must be a length of time such as 90s, 30m or 1h30m", (_DURATION_PATTERN, "[0-9]"))
]
"""A length of time as hours, minutes and seconds, such as `1h30m`; at most 99999 hours."""

PositiveDuration = Annotated[
    str,
    _DURATION_TEXT,
    Matches("must be a length of time above zero, such as 90s, 30m or 1h30m", (_DURATION_PATTERN, "[1-9]")),
]
"""A `Duration` that is not zero."""


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
