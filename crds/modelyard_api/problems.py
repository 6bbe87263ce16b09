"""What is wrong with a TrainingRun, in sentences: the field, and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modelyard_api.base import BROKEN_RULES, Rule
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: the field as the API server writes it, such as `spec.export[0].opset`; empty for the whole.
        sentence: what would be right, without the field.
    """

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """The problems that made pydantic refuse a TrainingRun."""
    return tuple(problem for details in error.errors() for problem in _problems(details))


def _problems(details: ErrorDetails) -> Iterable[Problem]:
    path, parent = _place(details["loc"])
    if details["type"] == BROKEN_RULES:
        broken: tuple[Rule, ...] = details["ctx"]["broken"]
        return [Problem(path + rule.path if path else rule.path.removeprefix("."), rule.message) for rule in broken]
    if details["type"] == "extra_forbidden":
        near = get_close_matches(str(details["loc"][-1]), parent.get("properties", {}), n=1)
        return [Problem(path, f"is not a field; did you mean {near[0]}?" if near else "is not a field; leave it out")]
    sentence = _SENTENCES.get(details["type"])
    return [Problem(path, sentence(details.get("ctx", {})) if sentence else details["msg"])]


def _place(location: tuple[int | str, ...]) -> tuple[str, Schema]:
    """The path of a pydantic location as the API server writes it, and the schema of what holds its last part."""
    path, schema, parent = "", _schema(), _schema()
    for part in location:
        parent = schema
        if isinstance(part, int):
            path, schema = f"{path}[{part}]", schema.get("items", {})
        elif isinstance(schema.get("additionalProperties"), dict):
            path, schema = f"{path}[{part}]", schema["additionalProperties"]
        else:
            path = f"{path}.{part}" if path else part
            schema = schema.get("properties", {}).get(part, {})
    return path, parent


@cache
def _schema() -> Schema:
    return training_run_schema()


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "greater_than": lambda context: f"must be above {context['gt']:g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
    "less_than": lambda context: f"must be below {context['lt']:g}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']:g}",
    "string_too_short": lambda context: f"must have at least {context['min_length']} characters",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "too_long": lambda context: f"must have at most {context['max_length']} items",
    "enum": lambda context: f"must be {context['expected']}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be a text; put numbers and true or false in quotes",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a map of names to texts",
    "model_type": lambda _: "must be a block of fields",
    "model_attributes_type": lambda _: "must be a block of fields",
}
"""A sentence for each kind of error that a manifest can cause, made from pydantic's context."""
