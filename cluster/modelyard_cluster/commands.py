"""The subcommands: each module that has one offers `register(subparsers)`, which sets `handle` on its parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import bare_command, demo_command, kind_command, tools_command

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

REGISTERED: tuple[Callable[[Subparsers], None], ...] = (
    tools_command.register,
    bare_command.register,
    kind_command.register,
    demo_command.register,
)
