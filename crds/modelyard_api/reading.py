"""YAML as kubectl reads it, so that a file means the same on a laptop as in a cluster."""

from __future__ import annotations

import re
from collections.abc import Hashable

import yaml


class NotYamlError(ValueError):
    """The text is not YAML, or says a thing twice; the message names line and column."""


def documents(text: str) -> list[object]:
    """The documents of a YAML text; empty ones are left out.

    Raises:
        NotYamlError: the text cannot be read, or a map has the same key twice, which kubectl refuses too.
    """
    try:
        return [document for document in yaml.load_all(text, Loader=_KubectlLoader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise NotYamlError(f"{place}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise NotYamlError(str(error)) from error


class _KubectlLoader(yaml.SafeLoader):
    """PyYAML's safe loader where it differs from kubectl: 1e-3 is a number; 12:30 and 2026-01-01 are texts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key!r} is there twice; keep one of them", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_MERGE = "tag:yaml.org,2002:merge"
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$")
_INTEGER = re.compile(r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")
_REPLACED = {"tag:yaml.org,2002:float", "tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp"}

_KubectlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# The first pattern that fits decides, and a whole number fits both.
for _tag, _pattern in (("tag:yaml.org,2002:int", _INTEGER), ("tag:yaml.org,2002:float", _FLOAT)):
    _KubectlLoader.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))
