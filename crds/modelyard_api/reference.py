"""The reference pages, made from the models: `python -m modelyard_api.reference`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelyard_api import API_VERSION
from modelyard_api.crd import COLUMNS
from modelyard_api.explanations import EXPLANATIONS, WAITS
from modelyard_api.generated import generate
from modelyard_api.outcome import EXIT_CODES
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema
from modelyard_api.training_run import KIND, MAY_CHANGE
from modelyard_api.wording import bounds, plain

REFERENCE_FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_NOTE = "<!-- Made from crds/modelyard_api by `python -m modelyard_api.reference`; change the models instead. -->\n"


def training_run_page() -> str:
    """The page about every field of a TrainingRun, as Markdown."""
    schema = training_run_schema()
    fixed = sorted(set(schema["properties"]["spec"]["properties"]) - MAY_CHANGE)
    parts = [
        _NOTE,
        f"# {KIND}\n",
        f"`apiVersion: {API_VERSION}`, `kind: {KIND}`; short name `trun`, category `modelyard`.\n",
        schema["description"] + "\n",
        f"Once the run has started (`status.startedAt` is set), {_code_list(fixed)} are fixed; "
        f"{_code_list(sorted(MAY_CHANGE))} may change at any time.\n",
        "A range such as `0 < x <= 1` is that of the value, `1..16 items` and `..63 characters` are lengths. "
        "A field without a default that is not required may be left out.\n",
        "## Columns of `kubectl get trainingruns`\n",
        _table(
            ("Column", "From", "Meaning", "Shown"),
            [
                (
                    column.name.upper(),
                    f"`{column.path}`",
                    column.description,
                    "with `-o wide`" if column.priority else "always",
                )
                for column in COLUMNS
            ],
        ),
    ]
    for block in ("spec", "status"):
        parts += _blocks(block, schema["properties"][block])
    return "\n".join(parts)


def reasons_page() -> str:
    """The page about every reason that a run or an attempt can show, as Markdown."""
    ends = [
        (
            f"`{reason}`",
            str(EXIT_CODES[reason].value) if reason in EXIT_CODES else "",
            explanation.meaning,
            explanation.what_to_do,
            explanation.tried_again,
        )
        for reason, explanation in EXPLANATIONS.items()
    ]
    waits = [(f"`{word}`", wait.meaning, wait.what_to_do) for word, wait in WAITS.items()]
    return "\n".join(
        [
            _NOTE,
            "# Reasons\n",
            "What every word means that a run shows, and what to do. `kubectl get trainingruns -o wide` has it in the "
            "column REASON; `kubectl describe trainingrun NAME` has the sentence with the details "
            "(`status.message`), the attempts before, and the Events.\n",
            "## A run or an attempt that has ended\n",
            "`status.reason`, the reasons of the conditions `Complete` and `Failed`, and the `reason` of each of "
            "`status.attempts` are one of these words once a run or an attempt has ended. "
            "The exit code is that of the trainer's container; reasons without one are seen by the operator.\n",
            "Complete and Failed are for ever: where it says what to correct, correct it and create a new run, under "
            "another name or after deleting this one.\n",
            _table(("Reason", "Exit code", "What happened", "What to do", "Tried again"), ends),
            "## A run that waits or is at work\n",
            "`status.reason` until then, and what to do if it lasts. Words of Kubernetes' own that are not listed here "
            "are shown as they are, with its message.\n",
            _table(("Reason", "What goes on", "What to do if it lasts"), waits),
            "## Reports\n",
            "A pod that runs while no epochs are counted cannot reach the operator: training goes on all the same, "
            "and all of it is told in the end. The pod's log says why its reports do not arrive: mostly a "
            "NetworkPolicy between its namespace and the operator's, or a proxy between them.\n",
        ]
    )


def _blocks(path: str, schema: Schema) -> Iterator[str]:
    """A chapter for a block of fields, and one for each block within."""
    yield f"## {path}\n"
    yield schema["description"] + "\n"
    required = schema.get("required", [])
    yield _table(
        ("Field", "Type", "Default", "Range", "Description"),
        [
            (
                _field(f"{path}.{name}", name, part),
                _type(part),
                _default(part, name in required),
                _range(part),
                _text(part),
            )
            for name, part in schema["properties"].items()
        ],
    )
    sentences = [
        f"- `{path}{rule.get('fieldPath', '')}` {rule['message']}."
        for rule in schema.get("x-kubernetes-validations", [])
    ]
    if sentences:
        yield "\n".join(["Rules:\n", *sentences, ""])
    for name, part in schema["properties"].items():
        within = part.get("items", part)
        if "properties" in within:
            yield from _blocks(
                f"{path}.{name}{'[]' if 'items' in part else ''}", within | {"description": part["description"]}
            )


def _field(path: str, name: str, schema: Schema) -> str:
    inner = schema.get("items", schema)
    if "properties" not in inner:
        return f"`{name}`"
    heading = f"{path}{'[]' if 'items' in schema else ''}"
    return f"[`{name}`](#{_anchor(heading)})"


def _anchor(heading: str) -> str:
    """The anchor that Markdown renderers make of a heading."""
    return "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "-_")


def _type(schema: Schema) -> str:
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map to {_type(schema['additionalProperties'])}"
    if "properties" in schema:
        return "block"
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    if "default" not in schema:
        return ""
    if "properties" in schema:
        return "see there"
    return f"`{plain(schema['default'])}`"


def _range(schema: Schema) -> str:
    words = [f"`{within}`"] if (within := bounds(schema)) else []
    if "multipleOf" in schema:
        words.append(f"multiple of {schema['multipleOf']}")
    for unit, least, most in (
        ("characters", "minLength", "maxLength"),
        ("items", "minItems", "maxItems"),
        ("entries", "minProperties", "maxProperties"),
    ):
        if schema.keys() & {least, most}:
            words.append(f"{schema.get(least, '')}..{schema.get(most, '')} {unit}")
    return ", ".join(words)


def _text(schema: Schema) -> str:
    """The description and, as sentences, the rules on the value itself."""
    text = str(schema["description"])
    for rule in schema.get("x-kubernetes-validations", []):
        if "properties" not in schema:
            text += f" {rule['message'][0].upper()}{rule['message'][1:]}."
    return text


def _code_list(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


PAGES = {
    REFERENCE_FOLDER / "trainingrun.md": training_run_page,
    REFERENCE_FOLDER / "reasons.md": reasons_page,
}


def main() -> int:
    """Write the reference pages, or compare them with what is there."""
    return generate(argparse.ArgumentParser(prog="python -m modelyard_api.reference", description=__doc__), PAGES)


if __name__ == "__main__":
    sys.exit(main())
