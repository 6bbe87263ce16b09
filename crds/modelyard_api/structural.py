"""JSON Schema as pydantic writes it, turned into the structural OpenAPI v3 schema that the API server takes.

The API server refuses `$ref`, `anyOf` with null, numeric `exclusiveMinimum`, `const` and `default: null`, and wants
every string, list and map bounded where CEL looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from modelyard_api.base import VALIDATIONS

Schema = dict[str, Any]

_COPIED = {
    *("type", "format", "description", "enum", "minLength", "maxLength", "pattern", "minimum", "maximum", "multipleOf"),
    *("minItems", "maxItems", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    *("x-kubernetes-map-type", VALIDATIONS),
}
_TRANSLATED = {
    *("$ref", "anyOf", "const", "default", "exclusiveMinimum", "exclusiveMaximum", "properties", "items"),
    *("additionalProperties", "minProperties", "maxProperties"),
}
_LEFT_OUT = {"$defs", "title", "propertyNames"}


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of `model`: self-contained, with defaults and CEL rules.

    Raises:
        ValueError: a model uses something that a structural schema has no word for.
    """
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def without_defaults_in_lists(schema: Schema, *, listed: bool = False) -> Schema:
    """The schema without the defaults of what is in lists: whoever reads an object fills them in.

    `kubectl apply` compares a list as a whole: one in which the API server has filled something in would differ from
    its manifest each time that it is applied.
    """
    result = {key: value for key, value in schema.items() if not (listed and key == "default")}
    if "items" in schema:
        result["items"] = without_defaults_in_lists(schema["items"], listed=True)
    if "additionalProperties" in schema:
        result["additionalProperties"] = without_defaults_in_lists(schema["additionalProperties"], listed=listed)
    if "properties" in schema:
        parts = schema["properties"].items()
        result["properties"] = {name: without_defaults_in_lists(part, listed=listed) for name, part in parts}
    return result


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    schema, optional = _resolved(schema, definitions)
    unknown = schema.keys() - _COPIED - _TRANSLATED - _LEFT_OUT
    if unknown:
        raise ValueError(f"a structural schema has no word for {', '.join(sorted(unknown))}")
    result: Schema = {key: value for key, value in schema.items() if key in _COPIED}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    for bound in ("Minimum", "Maximum"):
        if f"exclusive{bound}" in schema:
            result |= {bound.lower(): schema[f"exclusive{bound}"], f"exclusive{bound}": True}
    if "items" in schema:
        result["items"] = _structural(schema["items"], definitions)
    if "properties" in schema:
        result["properties"] = {name: _structural(part, definitions) for name, part in schema["properties"].items()}
    elif isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _structural(schema["additionalProperties"], definitions)
        result |= {key: schema[key] for key in ("minProperties", "maxProperties") if key in schema}
    if schema.get("default") is not None:
        if optional:
            raise ValueError("null beside a default means nothing to kubectl apply, which leaves it out")
        result["default"] = _without_null(schema["default"])
    return result


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """The schema with `$ref` and `anyOf` with null put in place, and whether null was among the choices."""
    own = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf"}}
    optional = False
    if "$ref" in schema:
        base, optional = _resolved(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    elif "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise ValueError("a structural schema has no word for a choice between types")
        base, _ = _resolved(choices[0], definitions)
        optional = True
    else:
        return dict(schema), False
    rules = [*base.get(VALIDATIONS, []), *own.get(VALIDATIONS, [])]
    return {**base, **own, **({VALIDATIONS: rules} if rules else {})}, optional


def _without_null(value: Any) -> Any:
    """A default without the fields that have none of their own.

    It is written out in full although the API server would fill in the rest: it checks a default against the CEL rules
    before it does so.
    """
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_null(part) for name, part in value.items() if part is not None}
    return value
