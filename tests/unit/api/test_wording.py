"""What `kubectl explain` says of a value beside its description."""

from __future__ import annotations

import pytest
from modelyard_api.crd import custom_resource_definition
from modelyard_api.structural import Schema
from modelyard_api.wording import explained


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "string"}, "It."),
        ({"type": "string", "default": ""}, 'It. Default: "".'),
        ({"type": "boolean", "default": False}, "It. Default: false."),
        ({"type": "integer", "minimum": 1, "default": 16}, "It. Range: 1 <= x. Default: 16."),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1}, "It. Range: 0 < x <= 1."),
        ({"type": "array", "items": {"type": "number"}, "default": [0.9, 0.999]}, "It. Default: [0.9, 0.999]."),
        ({"type": "object", "properties": {}, "default": {"a": 1}}, "It."),
    ],
)
def test_a_description_tells_range_and_default(schema: Schema, told: str) -> None:
    assert explained({"description": "It.", **schema})["description"] == told


def test_the_crd_tells_the_default_of_a_field_deep_within() -> None:
    schema = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    optimizer = schema["properties"]["spec"]["properties"]["training"]["properties"]["optimizer"]["properties"]
    assert optimizer["learningRate"]["description"].endswith("Range: 0 < x <= 1. Default: 0.001.")
