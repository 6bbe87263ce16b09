"""What the API server would say of an object by its CRD's schema, less the CEL rules: for thousands a minute.

`tests/api` asks the API server itself about some of them, so that the two are seen to agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from modelyard_api.structural import Schema

_MOST = 2**63 - 1
# As k8s.io/kube-openapi has it, in pkg/validation/strfmt/time.go.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}t([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(z|[+-]\d{2}:\d{2})", re.ASCII)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def violations(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """A sentence for each thing that is wrong with `value`."""
    kind = schema.get("type", "object")
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path} is {type(value).__name__} instead of {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value!r}, none of {schema['enum']}"
    match value:
        case dict():
            yield from _of_object(value, schema, path)
        case list():
            yield from _of_array(value, schema, path)
        case str():
            yield from _of_string(value, schema, path)
        case int() | float():
            yield from _of_number(value, schema, path)


def _of_object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    yield from (f"{path}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path} has {len(value)} entries"
    for name, inner in value.items():
        if name not in named and not isinstance(others, dict):
            yield f"{path}.{name} is not a field"
        else:
            yield from violations(inner, named.get(name, others), f"{path}.{name}")


def _of_array(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path} has {len(value)} items"
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if keys and len({tuple(item.get(key) for key in keys) for item in value}) < len(value):
        yield f"{path} names one of {keys} twice"
    for number, item in enumerate(value):
        yield from violations(item, schema["items"], f"{path}[{number}]")


def _of_string(value: str, schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path} has {len(value)} characters"
    if "pattern" in schema and not re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value):
        yield f"{path} is not as {schema['pattern']}"
    if schema.get("format") == "date-time" and not _TIME.fullmatch(value.lower()):
        yield f"{path} is no time: {value}"
    try:
        value.encode()
    except UnicodeEncodeError:
        yield f"{path} is not Unicode"


def _of_number(value: float, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, int) and abs(value) > _MOST:
        yield f"{path} does not fit into 64 bits"
        return
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    below = value <= least if schema.get("exclusiveMinimum") else value < least
    above = value >= most if schema.get("exclusiveMaximum") else value > most
    if not math.isfinite(value) or below or above:
        yield f"{path} is {value}, which is out of bounds"
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield f"{path} is {value}, no multiple of {schema['multipleOf']}"
