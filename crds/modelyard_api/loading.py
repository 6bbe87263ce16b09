"""A TrainingRun read from a file, with the same refusals as `kubectl apply`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from pydantic import ValidationError

from modelyard_api.problems import Problem, problems_of
from modelyard_api.reading import NotYamlError, documents
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema
from modelyard_api.training_run import KIND, TrainingRun


class InvalidRunError(ValueError):
    """A text is not a TrainingRun that can be trained; `problems` says what is wrong, each in one sentence."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def load_run(text: str) -> TrainingRun:
    """The one TrainingRun in a YAML or JSON text, with every default filled in.

    Raises:
        InvalidRunError: the text is not YAML, holds no TrainingRun or several, or one that breaks the schema or a rule.
    """
    return parse_run(read_run(text))


def read_run(text: str) -> dict[str, object]:
    """The one TrainingRun in a YAML or JSON text, as it is written.

    Raises:
        InvalidRunError: the text is not YAML, holds no TrainingRun or several.
    """
    try:
        found = documents(text)
    except NotYamlError as error:
        raise InvalidRunError([Problem("", f"is not YAML: {error}")]) from error
    runs = [document for document in found if isinstance(document, dict) and document.get("kind") == KIND]
    if len(runs) != 1:
        raise InvalidRunError([Problem("", f"must hold one object of kind {KIND}; found {len(runs)}")])
    return runs[0]


def parse_run(document: object) -> TrainingRun:
    """A TrainingRun made of maps, lists and scalars, as the API server or a YAML file has it.

    Raises:
        InvalidRunError: it breaks the schema or a rule.
    """
    try:
        # By way of JSON, since there pydantic can be strict ("3" is no number) and still take enums and times as texts.
        return TrainingRun.model_validate_json(json.dumps(_without_nulls(document, _schema())), strict=True)
    except ValidationError as error:
        raise InvalidRunError(problems_of(error)) from error
    except (TypeError, ValueError) as error:
        raise InvalidRunError([Problem("", f"must be maps, lists, texts and numbers: {error}")]) from error


def _without_nulls(value: object, schema: Schema) -> object:
    """`value` less the fields that are null, which the API server takes for absent."""
    if isinstance(value, list):
        return [_without_nulls(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    named, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
    known = {name: named.get(name, others) for name in value if name in named or others}
    return {
        name: _without_nulls(inner, known.get(name, {}))
        for name, inner in value.items()
        if inner is not None or name not in known
    }


@cache
def _schema() -> Schema:
    return training_run_schema()
