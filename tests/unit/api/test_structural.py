"""From pydantic's JSON Schema to what the API server takes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from modelyard_api.base import ApiModel, Atomic, ListMap, Matches, Rule
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema, structural_schema
from pydantic import Field, StringConstraints


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Wheel(ApiModel):
    """A wheel."""

    rules: ClassVar = (Rule("self.spokes % 2 == 0", "must be even", path=".spokes"),)

    spokes: Annotated[int, Field(gt=2, le=64, multiple_of=2, description="How many spokes.")] = 32


class Bicycle(ApiModel):
    """A bicycle."""

    front: Annotated[Wheel, Field(description="The front wheel.")] = Wheel()
    spare: Annotated[Wheel | None, Field(description="A spare wheel.")] = None
    colour: Annotated[Colour, Field(description="Its colour.")] = Colour.RED
    name: Annotated[
        str | None,
        StringConstraints(max_length=8),
        Matches("must be a word", (r"^\w+$", "[a-z]")),
        Field(description="N."),
    ] = None
    weight_kg: Annotated[float, Field(ge=0, lt=100, description="Weight in kilograms.")]
    bells: Annotated[list[Wheel], ListMap("spokes"), Field(max_length=3, description="Bells.")] = []  # noqa: RUF012
    labels: Annotated[dict[str, str], Atomic(), Field(max_length=4, description="Labels.")] = {}  # noqa: RUF012
    tags: Annotated[list[str], Atomic(), Field(max_length=4, description="Tags.")] = []  # noqa: RUF012
    kind: Annotated[Literal["bicycle"], Field(description="Kind.")] = "bicycle"


@pytest.fixture(scope="module")
def bicycle() -> dict[str, Schema]:
    fields: dict[str, Schema] = structural_schema(Bicycle)["properties"]
    return fields


def test_a_reference_is_put_in_place_under_the_fields_own_description(bicycle: dict[str, Schema]) -> None:
    assert bicycle["front"] == {
        "type": "object",
        "description": "The front wheel.",
        "properties": {
            "spokes": {
                "type": "integer",
                "description": "How many spokes.",
                "minimum": 2,
                "exclusiveMinimum": True,
                "maximum": 64,
                "multipleOf": 2,
                "default": 32,
            }
        },
        "default": {"spokes": 32},
        "x-kubernetes-validations": [
            {"rule": "self.spokes % 2 == 0", "message": "must be even", "fieldPath": ".spokes"}
        ],
    }


def test_an_optional_field_is_one_that_may_be_absent(bicycle: dict[str, Schema]) -> None:
    assert bicycle["spare"]["type"] == "object"
    assert bicycle["spare"].keys().isdisjoint({"default", "nullable", "anyOf"})


def test_an_enum_is_a_string_of_some_values(bicycle: dict[str, Schema]) -> None:
    assert bicycle["colour"] == {
        "type": "string", "enum": ["red", "blue"], "default": "red", "description": "Its colour."
    }  # fmt: skip
    assert bicycle["kind"]["enum"] == ["bicycle"]


def test_what_a_string_must_match_is_a_rule_with_a_sentence(bicycle: dict[str, Schema]) -> None:
    assert bicycle["name"] == {
        "type": "string",
        "maxLength": 8,
        "description": "N.",
        "x-kubernetes-validations": [
            {"rule": r"self.matches('^\\w+$') && self.matches('[a-z]')", "message": "must be a word"}
        ],
    }


def test_an_exclusive_bound_is_a_bound_and_a_flag(bicycle: dict[str, Schema]) -> None:
    weight = bicycle["weightKg"]
    assert (weight["minimum"], weight["maximum"], weight["exclusiveMaximum"]) == (0, 100, True)
    assert "exclusiveMinimum" not in weight


def test_lists_and_maps_say_how_they_are_merged(bicycle: dict[str, Schema]) -> None:
    assert (bicycle["bells"]["x-kubernetes-list-type"], bicycle["bells"]["x-kubernetes-list-map-keys"]) == (
        "map",
        ["spokes"],
    )
    assert bicycle["tags"]["x-kubernetes-list-type"] == "atomic"
    assert bicycle["labels"]["x-kubernetes-map-type"] == "atomic"
    assert bicycle["labels"]["additionalProperties"] == {"type": "string"}
    assert bicycle["labels"]["maxProperties"] == 4


class Choice(ApiModel):
    """A field that is one thing or another."""

    value: int | str


class NullByDefaultNot(ApiModel):
    """A field whose null would be lost on its way through kubectl."""

    value: int | None = 3


class Unique(ApiModel):
    """A set, which pydantic describes by `uniqueItems`."""

    value: set[int]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Choice, "no word for a choice between types"),
        (NullByDefaultNot, "null beside a default means nothing to kubectl apply"),
        (Unique, "no word for uniqueItems"),
    ],
)
def test_what_the_api_server_has_no_word_for_is_refused(model: type[ApiModel], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        structural_schema(model)


def test_every_field_of_a_run_is_described() -> None:
    blank = [path for path, field in _fields(training_run_schema(), "") if not field.get("description", "").strip()]
    # The API server has its own descriptions of metadata.
    assert blank == [".metadata", ".metadata.name"]


def test_everything_in_a_run_is_bounded() -> None:
    assert [path for path, field in _fields(training_run_schema(), "") if path not in _OF_THE_API_SERVER
            and not _bounded(field)] == []  # fmt: skip


_OF_THE_API_SERVER = {".apiVersion", ".kind", ".metadata.name"}


def _bounded(field: Schema) -> bool:
    match field["type"]:
        case "string":
            return bool({"maxLength", "enum"} & field.keys()) or field.get("format") == "date-time"
        case "array":
            return "maxItems" in field and _bounded(field["items"])
        case "object":
            return "properties" in field or ("maxProperties" in field and _bounded(field["additionalProperties"]))
        case "integer" | "number" | "boolean":
            return True
        case other:
            raise AssertionError(f"{other} is no type of a structural schema")


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from _fields(part, f"{path}.{name}")
        yield from _fields(part.get("items", {}), f"{path}.{name}[]")
