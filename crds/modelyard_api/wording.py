"""How defaults and ranges are told: in the reference page, and in descriptions, since `kubectl explain` has neither."""

from __future__ import annotations

from typing import Any

from modelyard_api.structural import Schema


def plain(value: Any) -> str:
    """A value as one would write it in YAML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(plain(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {plain(part)}' for name, part in value.items())}}}"
    return str(value) or '""'


def bounds(schema: Schema) -> str:
    """What a number may be, such as `0 < x <= 1`; empty where it has no bounds."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    left = "" if low is None else f"{plain(low)} {'<' if schema.get('exclusiveMinimum') else '<='} "
    right = "" if high is None else f" {'<' if schema.get('exclusiveMaximum') else '<='} {plain(high)}"
    return f"{left}x{right}"


def explained(schema: Schema) -> Schema:
    """The schema with the default and the bounds of each value added to its description."""
    told = dict(schema)
    for key in ("items", "additionalProperties"):
        if key in schema:
            told[key] = explained(schema[key])
    if "properties" in schema:
        told["properties"] = {name: explained(part) for name, part in schema["properties"].items()}
    elif "description" in schema:
        told["description"] = " ".join([schema["description"], *_sentences(schema)])
    return told


def _sentences(schema: Schema) -> list[str]:
    said = [f"Range: {within}."] if (within := bounds(schema)) else []
    return [*said, f"Default: {plain(schema['default'])}."] if "default" in schema else said
