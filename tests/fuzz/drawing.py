"""So many examples drawn from a seed, and what hostile hands put into documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

Example = TypeVar("Example")
Object = dict[str, Any]

ALL = 20_000
_HEALTHY = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
]


def share(few: int) -> pytest.MarkDecorator:
    """`few` examples in an everyday run, another few each day; all of them in a long one."""
    return few_or_more(few, ALL)


def few_or_more(few: int, more: int) -> pytest.MarkDecorator:
    """The same where all would last too long."""
    return pytest.mark.parametrize(
        "examples",
        [pytest.param(few, id="some"), pytest.param(more, id="all", marks=[pytest.mark.long, pytest.mark.marathon])],
    )


def each(drawn: st.SearchStrategy[Example], examples: int, seed: int, check: Callable[[Example], None]) -> None:
    """Check so many examples. One that fails is made small before it is shown."""

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=_HEALTHY,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(drawn)
    def one(example: Example) -> None:
        check(example)

    one()


def drawn(strategy: st.SearchStrategy[Example], examples: int, seed: int) -> list[Example]:
    """So many examples, for checks that cannot be called again and again to make them small."""
    found: list[Example] = []
    each(strategy, examples, seed, found.append)
    return found


TRAVERSALS = (
    "../../../etc/passwd",
    "..",
    ".",
    "/etc/passwd",
    "a/../../b",
    "..\\..\\b",
    "%2e%2e%2f",
    "s3://b-b/../../x",
    "~",
)
WORDS = st.sampled_from(
    [
        *TRAVERSALS,
        *(
            "",
            " ",
            "\n",
            "\x00",
            "\x1b[2J",
            "a\nb",
            "$(reboot)",
            "`id`",
            "{{7*7}}",
            "'; drop table runs; --",
            "<script>",
        ),
        *(
            "null",
            "NaN",
            "-0",
            "1e999",
            "0x10",
            "1_000",
            "\u0663",
            "\uff19",
            "\u0130",
            "\ufb00",
            "\u202egnp",
            "\ufeff",
            "\U0001f600",
            "é",
        ),
        *("a" * 257, "a" * 1025, "é" * 4097, "0h", "1h30m", "99999h", "1e-300", "16Gi", "0.5", "500m", "nvidia-l4"),
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=20))
_LARGE = st.sampled_from(
    [2**31 - 1, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -1, -(2**63) - 1, 100_000, 100_001]
)
WHOLE = st.one_of(_LARGE, st.integers(-3, 300))
REAL = st.one_of(
    st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 1e300, 1.7976931348623157e308, 0.5, 1.0, 99.999, 1e15, 1e16]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.floats(),
)
TIMES = st.sampled_from(
    [
        *(
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:00:00",
            "2026-11-21",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59Z",
        ),
        *("2026-11-21T12:00:00.123456789Z", "2026-11-21T24:00:00Z", "1969-12-31T23:59:60Z", "12:00"),
        *("9999-12-31T23:59:59-23:59", "2026-11-21 12:00:00+00:00", "2026-11-21T12:00:00+05:30"),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), WHOLE, REAL, TEXTS, TIMES)


def _deep(value: Any, depth: int, *, in_lists: bool) -> Any:
    for _ in range(depth):
        value = [value] if in_lists else {"a": value}
    return value


ANYTHING: st.SearchStrategy[Any] = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
    ),
    st.builds(_deep, SCALARS, st.sampled_from([5, 50, 150]), in_lists=st.booleans()),
    st.builds(lambda value, times: [value] * times, SCALARS, st.sampled_from([17, 65, 129, 1000])),
)


@st.composite
def altered(draw: st.DrawFn, right: Mapping[str, Any], values: st.SearchStrategy[Any] = ANYTHING, most: int = 3) -> Any:
    """A right document with a few of its values replaced, some gone, and some that nobody knows."""
    result = json.loads(json.dumps(right))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, most]))):
        _alter(draw, result, values)
    return result


def _alter(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any]) -> None:
    place: Any = document
    while True:
        if not isinstance(place, dict | list) or not place:
            return
        key: Any = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            break
        place = inner
    match draw(st.sampled_from(["alike", "alike", "alike", "alike", "other", "drop", "add"])):
        case "drop":
            del place[key]
        case "add" if isinstance(place, dict):
            place[draw(TEXTS)] = draw(values)
        case "alike":
            place[key] = draw(_like(inner, values))
        case _:
            place[key] = draw(values)


def _twisted(text: str) -> st.SearchStrategy[str]:
    """A right text with something in it that does not belong there."""
    piece = st.sampled_from(
        ["..", "/../", "/./", "../", ".-", "-", "\n", "\x00", "\u00e9", " ", "//", "0", "a" * 60, "a" * 300]
    )
    where = st.integers(0, len(text))
    return st.builds(lambda piece, where: text[:where] + piece + text[where:], piece, where)


def _like(value: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of the same type, which get past the first look."""
    match value:
        case bool():
            return st.booleans()
        case int():
            return WHOLE
        case float():
            return REAL
        case str():
            return _twisted(value) | TEXTS | TIMES
        case [first, *_]:
            return st.integers(0, 140).map(lambda times: [first] * times)
    return values


def as_json(document: Any) -> bytes:
    """JSON as careless programs write it: with NaN and Infinity."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


@st.composite
def mangled(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> bytes:
    """Bytes that are, or nearly are, or once were a document."""
    text = as_json(draw(documents))
    how = draw(st.sampled_from([*([None] * 20), *_MANGLERS]))
    return text if how is None else how(draw, text)


def _cut(draw: st.DrawFn, text: bytes) -> bytes:
    return text[: draw(st.integers(0, len(text)))]


def _another_number(draw: st.DrawFn, text: bytes) -> bytes:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    chosen = draw(st.sampled_from(found))
    return text[: chosen.start()] + draw(st.sampled_from(_NUMBERS)) + text[chosen.end() :]


def _said_twice(draw: st.DrawFn, text: bytes) -> bytes:
    said = [b'"epoch":9999', b'"attempt":1', b'"attempt":2', b'"sequence":1', b'"sequence":99999999', b'"spec":{}']
    return text.replace(b"{", b"{" + draw(st.sampled_from(said)) + b",", 1)


def _other_bytes(draw: st.DrawFn, text: bytes) -> bytes:
    where = draw(st.integers(0, len(text)))
    strange = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\\ud800", b"\\u0000"]
    return text[:where] + draw(st.sampled_from(strange)) + text[where:]


def _otherwise_encoded(draw: st.DrawFn, text: bytes) -> bytes:
    encoding = draw(st.sampled_from(["utf-16", "utf-32", "latin-1", "utf-8-sig"]))
    return text.decode("utf-8", "replace").encode(encoding, "replace")


def _deeper(draw: st.DrawFn, text: bytes) -> bytes:
    depth = draw(st.sampled_from([100, 1000, 30_000]))
    return b"[" * depth + text + b"]" * depth


def _longer(draw: st.DrawFn, text: bytes) -> bytes:
    return text + b" " * draw(st.sampled_from([60_000, 70_000]))


def _noise(draw: st.DrawFn, text: bytes) -> bytes:
    return draw(st.binary(max_size=200))


_NUMBER = re.compile(rb"(?<=[:\[,])\s*-?\d[\d.eE+-]*")
_MANGLERS = (_cut, _another_number, _said_twice, _other_bytes, _otherwise_encoded, _deeper, _longer, _noise)
_NUMBERS = (
    *(b"1e999", b"-1e999", b"9" * 5000, b"-0", b"NaN", b"Infinity", b"-Infinity", b"0x10", b"1_0", b"01", b"1."),
    *(b"1e-400", b"1E5", b"3.0", b'"3"', b"true"),
)
_NUMBER = re.compile(rb"(?<=[:\[,])\s*-?\d[\d.eE+-]*")
