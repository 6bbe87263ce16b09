"""The words that the operator puts into status.reason are those that the page of reasons explains."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from modelyard_api.explanations import EXPLANATIONS, WAITS
from modelyard_operator.domain import clock, policies
from modelyard_operator.domain.clock import QUEUED

_A_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
_OF_THE_KUBELET = {"ContainerCreating", "PodInitializing"}
"""Looked for, and told in words of ours."""


def test_every_word_is_explained() -> None:
    folder = Path(policies.__path__[0])
    trees = [ast.parse(path.read_text()) for path in [*folder.glob("*.py"), Path(clock.__file__)]]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    words = {value for value in constants if isinstance(value, str) and _A_WORD.fullmatch(value)}
    assert {QUEUED, "JobCreated", "Stopping"} <= words
    assert words - _OF_THE_KUBELET - set(EXPLANATIONS) - set(WAITS) == set()
