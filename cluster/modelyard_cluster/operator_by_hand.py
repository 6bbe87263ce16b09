"""The operator as a process on this machine, for tests and benchmarks."""

from __future__ import annotations

import sys

# kopf imports the official client where there is one, as among the tools of development: it takes longer than all the
# rest, and a third of the memory.
_AS_IN_ITS_IMAGE = """
import runpy, sys
sys.modules["kubernetes"] = None
runpy.run_module("modelyard_operator", run_name="__main__", alter_sys=True)
"""


def operator_command() -> list[str]:
    """The command that starts the operator with no more libraries than its image has; flags go after it."""
    return [sys.executable, "-c", _AS_IN_ITS_IMAGE]
